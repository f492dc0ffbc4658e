#include "rpc/json.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"

namespace popvault {
namespace {

// Builds a Json and enforces what nlohmann's own reader does not: depth, duplicates, exact integers.
class Builder {
 public:
  using Base = nlohmann::json;
  explicit Builder(unsigned depth) : depth_(depth) {}

  bool null() { return put(Json(nullptr)); }
  bool boolean(bool v) { return put(Json(v)); }
  bool number_integer(Base::number_integer_t v) { return put(Json(static_cast<std::int64_t>(v))); }
  bool number_unsigned(Base::number_unsigned_t v) {
    if (v > static_cast<std::uint64_t>(INT64_MAX)) return put(Json(static_cast<double>(v)));
    return put(Json(static_cast<std::int64_t>(v)));
  }
  bool number_float(Base::number_float_t v, const std::string&) { return std::isfinite(v) && put(Json(v)); }
  bool string(std::string& v) { return put(Json(std::move(v))); }
  bool binary(Base::binary_t&) { return false; }
  bool start_object(std::size_t) { return open({Json(Json::Object{}), {}, {}}); }
  bool key(std::string& name) {
    Level& top = stack_.back();
    top.duplicate = top.duplicate || top.value.find(name) != nullptr;
    top.key = std::move(name);
    return !top.duplicate;
  }
  bool end_object() { return close(); }
  bool start_array(std::size_t) { return open({Json(nullptr), {}, Json::Array{}}); }
  bool end_array() {
    Level& top = stack_.back();
    top.value = Json(std::move(*top.items));
    return close();
  }
  template <class E>
  bool parse_error(std::size_t, const std::string&, const E&) {
    return false;
  }
  Json take() { return std::move(root_); }

 private:
  struct Level {
    Json value;
    std::string key;
    std::optional<Json::Array> items;
    bool duplicate = false;
  };

  bool open(Level level) {
    if (stack_.size() >= depth_) return false;
    stack_.push_back(std::move(level));
    return true;
  }
  bool close() {
    Json done = std::move(stack_.back().value);
    stack_.pop_back();
    return put(std::move(done));
  }
  bool put(Json v) {
    if (stack_.empty()) {
      root_ = std::move(v);
    } else if (stack_.back().items) {
      stack_.back().items->push_back(std::move(v));
    } else {
      stack_.back().value.set(stack_.back().key, std::move(v));
    }
    return true;
  }

  unsigned depth_;
  std::vector<Level> stack_;
  Json root_;
};

void quote(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t n = utf8_length(text, i);
    if (n == 0) {
      out.append("\xef\xbf\xbd");
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\t') {
      out.append("\\t");
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out.append("\\u00");
      out.push_back(kHex[c >> 4 & 15]);
      out.push_back(kHex[c & 15]);
    } else {
      out.append(text, i, n);
    }
    i += n;
  }
  out.push_back('"');
}

class Dumper {
 public:
  explicit Dumper(bool pretty) : pretty_(pretty) {}

  void value(const Json& v) {
    if (v.is_null()) {
      out_.append("null");
    } else if (const bool* flag = v.boolean()) {
      out_.append(*flag ? "true" : "false");
    } else if (const std::int64_t* n = v.integer()) {
      out_.append(std::to_string(*n));
    } else if (const std::string* s = v.string()) {
      quote(out_, *s);
    } else if (const Json::Array* items = v.array()) {
      list('[', ']', *items, [&](const Json& item) { value(item); });
    } else if (const Json::Object* members = v.object()) {
      list('{', '}', *members, [&](const auto& member) {
        quote(out_, member.first);
        out_.append(pretty_ ? ": " : ":");
        value(member.second);
      });
    } else {
      std::array<char, 32> text{};
      const auto end = std::to_chars(text.data(), text.data() + text.size(), *v.number()).ptr;
      const std::string_view digits(text.data(), static_cast<std::size_t>(end - text.data()));
      out_.append(digits);
      // Without a point it would be read back as an integer, which is another value here.
      if (digits.find_first_of(".e") == std::string_view::npos) out_.append(".0");
    }
  }
  std::string take() { return std::move(out_); }

 private:
  template <class Items, class Each>
  void list(char open, char close, const Items& items, Each each) {
    out_.push_back(open);
    ++depth_;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_.push_back(',');
      first = false;
      line();
      each(item);
    }
    --depth_;
    if (!first) line();
    out_.push_back(close);
  }
  void line() {
    if (pretty_) out_.append("\n").append(2 * depth_, ' ');
  }

  bool pretty_;
  std::size_t depth_ = 0;
  std::string out_;
};

}  // namespace

Result<Json> Json::parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.size) return fail(Errc::too_large);
  Builder builder(limits.depth);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return fail(Errc::parse_error);
  return builder.take();
}

std::string Json::dump() const {
  Dumper dumper(false);
  dumper.value(*this);
  return dumper.take();
}

std::string Json::pretty() const {
  Dumper dumper(true);
  dumper.value(*this);
  return dumper.take();
}

std::optional<double> Json::number() const noexcept {
  if (const auto* d = std::get_if<double>(&value_)) return *d;
  if (const auto* n = integer()) return static_cast<double>(*n);
  return std::nullopt;
}

const Json* Json::find(std::string_view name) const noexcept {
  const Object* members = object();
  if (members == nullptr) return nullptr;
  const auto at = members->find(name);
  return at == members->end() ? nullptr : &at->second;
}

const Json& Json::operator[](std::string_view name) const noexcept {
  static const Json kNull;
  const Json* found = find(name);
  return found != nullptr ? *found : kNull;
}

std::string Json::text_or(std::string_view fallback) const {
  const std::string* s = string();
  return s != nullptr ? *s : std::string(fallback);
}
std::int64_t Json::int_or(std::int64_t fallback) const noexcept {
  const std::int64_t* n = integer();
  return n != nullptr ? *n : fallback;
}
bool Json::bool_or(bool fallback) const noexcept {
  const bool* b = boolean();
  return b != nullptr ? *b : fallback;
}

void Json::set(std::string_view name, Json value) {
  if (is_null()) value_ = Object{};
  std::get<Object>(value_).insert_or_assign(std::string(name), std::move(value));
}

void Json::erase(std::string_view name) {
  auto* members = std::get_if<Object>(&value_);
  if (members == nullptr) return;
  if (const auto at = members->find(name); at != members->end()) members->erase(at);
}

std::string json_quote(std::string_view text) {
  std::string out;
  quote(out, text);
  return out;
}

}  // namespace popvault
