#include "wire/places.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace popvault::wire {
namespace {

constexpr std::size_t kMaxAccount = 4096, kMaxDocument = 16 * 1024, kMaxHolder = 100;

using Fault = std::optional<Mismatch>;
using Path = std::vector<std::string_view>;

bool value_fits(const AllowRule& rule, const Node& node) {
  const bool integer = node.kind == Node::Kind::number && node.text.find_first_of(".eE") == std::string::npos;
  bool type = false;
  switch (rule.type) {
    case Type::string: type = node.kind == Node::Kind::string; break;
    case Type::integer: type = integer; break;
    case Type::number: type = node.kind == Node::Kind::number; break;
    case Type::boolean: type = node.kind == Node::Kind::boolean; break;
    case Type::null: type = node.kind == Node::Kind::null; break;
    case Type::scalar: type = !node.container(); break;
  }
  const bool text = rule.values.empty() || std::find(rule.values.begin(), rule.values.end(), node.text) != rule.values.end();
  return type && text && node.text.size() <= rule.max;
}

// The alias with its separators as `#` and separators, or none when the text is not exactly the alias.
std::optional<std::string> number_shape(NumberForm form, std::string_view alias, std::string_view text) {
  std::string shape;
  char separator = '\0';
  std::size_t next = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (next < alias.size() && c == alias[next]) {
      shape.push_back('#');
      ++next;
    } else {
      const bool between = !shape.empty() && shape.back() == '#' && i + 1 < text.size();
      if (form != NumberForm::grouped || !between || (c != ' ' && c != '-')) return std::nullopt;
      if (separator != '\0' && separator != c) return std::nullopt;
      separator = c;
      shape.push_back(c);
    }
  }
  if (next != alias.size() || alias.empty()) return std::nullopt;
  return shape;
}

std::string expiry_text(std::string_view format, const injector::Aliases& aliases) {
  std::string out;
  for (std::size_t i = 0; i < format.size();) {
    std::size_t run = 1;
    while (i + run < format.size() && format[i + run] == format[i]) ++run;
    if (format[i] == 'M') {
      out.append(run == 1 && aliases.exp_month.starts_with('0') ? aliases.exp_month.substr(1) : aliases.exp_month);
    } else if (format[i] == 'Y') {
      out.append(run == 2 && aliases.exp_year.size() == 4 ? aliases.exp_year.substr(2) : aliases.exp_year);
    } else {
      out.append(format.substr(i, run));
    }
    i += run;
  }
  return out;
}

class Walk {
 public:
  Walk(const RequestRule& rule, const Expected& expected) : rule_(rule), expected_(expected) {}

  Fault visit(Node& node) {
    if (!node.container() || node.members.empty()) return leaf(node);
    for (std::size_t i = 0; i < node.members.size(); ++i) {
      auto& [name, child] = node.members[i];
      const std::string index = node.kind == Node::Kind::array ? std::to_string(i) : std::string();
      path_.push_back(node.kind == Node::Kind::array ? std::string_view(index) : std::string_view(name));
      const Fault fault = visit(child);
      path_.pop_back();
      if (fault) return fault;
    }
    return std::nullopt;
  }

 private:
  Fault leaf(Node& node) {
    for (const PlaceRule& place : rule_.places)
      if (place.path.matches(path_)) return fill(place, node);
    if (node.container()) return empty_container();
    if (is_graphql_member(node) || is_account(node)) return std::nullopt;
    bool listed = false;
    for (const AllowRule& allowed : rule_.allow) {
      if (!allowed.path.matches(path_)) continue;
      listed = true;
      if (value_fits(allowed, node)) return std::nullopt;
    }
    return listed ? Mismatch::value_not_allowed : Mismatch::unlisted_member;
  }

  Fault empty_container() const {
    const bool listed = std::any_of(rule_.allow.begin(), rule_.allow.end(),
                                    [&](const AllowRule& allowed) { return allowed.path.reaches(path_); });
    return listed ? std::nullopt : Fault(Mismatch::unlisted_member);
  }

  bool is_graphql_member(const Node& node) const {
    if (rule_.form != BodyForm::graphql || path_.size() != 1 || node.kind != Node::Kind::string) return false;
    return (path_[0] == "query" && node.text.size() <= kMaxDocument) || (path_[0] == "operationName" && node.text.size() <= 64);
  }

  bool is_account(const Node& node) const {
    return node.kind == Node::Kind::string && node.text.size() <= kMaxAccount &&
           std::any_of(rule_.accounts.begin(), rule_.accounts.end(), [&](const AccountRule& account) {
             return account.source == AccountSource::member && account.path.matches(path_);
           });
  }

  Fault fill(const PlaceRule& place, Node& node) {
    const bool text = node.kind == Node::Kind::string;
    switch (place.place) {
      case Place::number: {
        auto shape = number_shape(place.number, expected_.aliases.number, node.text);
        if (!text || !shape) return Mismatch::number_value;
        node.hole = Hole{place.place, std::move(*shape), {}};
        return std::nullopt;
      }
      case Place::cvc: return fill_cvc(node);
      case Place::holder: return fill_holder(node);
      default: return fill_expiry(place, node);
    }
  }

  Fault fill_cvc(Node& node) {
    const std::string& alias = expected_.aliases.cvc;
    if (alias.empty()) {
      const bool none = node.kind == Node::Kind::null || (node.kind == Node::Kind::string && node.text.empty());
      return none ? std::nullopt : Fault(Mismatch::cvc_value);
    }
    if (node.kind != Node::Kind::string || node.text != alias) return Mismatch::cvc_value;
    node.hole = Hole{Place::cvc, std::string(alias.size(), '#'), {}};
    return std::nullopt;
  }

  Fault fill_holder(Node& node) {
    const bool text = node.kind == Node::Kind::string && node.text.size() <= kMaxHolder;
    if (!text && node.kind != Node::Kind::null) return Mismatch::value_not_allowed;
    if (text && !expected_.holder.empty() && node.text == expected_.holder) node.hole = Hole{Place::holder, {}, {}};
    return std::nullopt;
  }

  Fault fill_expiry(const PlaceRule& place, Node& node) {
    const bool text = node.kind == Node::Kind::string && place.text;
    const bool number = node.kind == Node::Kind::number && place.integer;
    for (const std::string& format : place.formats) {
      if (!text && (!number || format == "MM")) continue;
      if (expiry_text(format, expected_.aliases) != node.text) continue;
      node.hole = Hole{place.place, format, {}};
      return std::nullopt;
    }
    return Mismatch::exp_value;
  }

  const RequestRule& rule_;
  const Expected& expected_;
  Path path_;
};

}  // namespace

std::optional<Mismatch> place_members(const RequestRule& rule, const Expected& expected, Node& root) {
  return Walk(rule, expected).visit(root);
}

bool query_fits(const RequestRule& rule, const std::vector<std::pair<std::string, std::string>>& query) {
  for (std::size_t i = 0; i < query.size(); ++i) {
    const auto& [name, value] = query[i];
    const bool again = std::any_of(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(i),
                                   [&name = name](const auto& other) { return other.first == name; });
    if (again) return false;
    Node node;
    node.kind = Node::Kind::string;
    node.text = value;
    const Path path{name};
    const bool listed = std::any_of(rule.query.begin(), rule.query.end(), [&](const AllowRule& allowed) {
      return allowed.path.matches(path) && value_fits(allowed, node);
    });
    const bool account = std::any_of(rule.accounts.begin(), rule.accounts.end(), [&name = name](const AccountRule& each) {
      return each.source == AccountSource::query && each.name == name;
    });
    if (!listed && !account) return false;
  }
  return true;
}

}  // namespace popvault::wire
