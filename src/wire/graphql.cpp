#include "wire/graphql.hpp"

#include <map>
#include <optional>
#include <set>

namespace popvault::wire {
namespace {

constexpr int kMaxSelection = 8;

bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Names and punctuators; white space and commas fall away.
std::optional<std::vector<std::string_view>> tokens(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    std::size_t n = 1;
    if (std::string_view(" \t\r\n,").find(c) != std::string_view::npos) {
      ++i;
      continue;
    }
    if (name_start(c)) {
      while (i + n < text.size() && (name_start(text[i + n]) || (text[i + n] >= '0' && text[i + n] <= '9'))) ++n;
    } else if (std::string_view("{}():!$[]").find(c) == std::string_view::npos) {
      return std::nullopt;
    }
    out.push_back(text.substr(i, n));
    i += n;
  }
  return out;
}

class Document {
 public:
  Document(const RequestRule& rule, std::vector<std::string_view> tokens) : rule_(rule), tokens_(std::move(tokens)) {}

  bool fits() {
    if (!take("mutation")) return false;
    if (is_name()) ++at_;
    if (!take("(") || !variables()) return false;
    if (!take("{")) return false;
    if (at_ + 1 < tokens_.size() && tokens_[at_ + 1] == ":") {  // an alias of the answer's member
      if (!is_name()) return false;
      at_ += 2;
    }
    return take(rule_.root) && take("(") && arguments() && selection(1) && take("}") && at_ == tokens_.size();
  }

 private:
  bool take(std::string_view token) {
    if (at_ >= tokens_.size() || tokens_[at_] != token) return false;
    ++at_;
    return true;
  }
  bool is_name() const { return at_ < tokens_.size() && name_start(tokens_[at_][0]); }

  bool variables() {
    while (!take(")")) {
      if (!take("$") || !is_name()) return false;
      const std::string_view name = tokens_[at_++];
      if (!take(":")) return false;
      std::string type;
      while (at_ < tokens_.size() && tokens_[at_] != "$" && tokens_[at_] != ")") type.append(tokens_[at_++]);
      if (!types_.emplace(name, type).second) return false;
    }
    return !types_.empty();
  }

  bool arguments() {
    std::set<std::string_view> named;
    while (!take(")")) {
      if (!is_name()) return false;
      const std::string_view argument = tokens_[at_++];
      if (!take(":") || !take("$") || !is_name()) return false;
      const auto type = types_.find(tokens_[at_++]);
      const auto wanted = rule_.arguments.find(argument);
      if (type == types_.end() || wanted == rule_.arguments.end() || wanted->second != type->second) return false;
      if (!named.insert(argument).second) return false;
      types_.erase(type);
    }
    return types_.empty();
  }

  bool selection(int depth) {
    if (depth > kMaxSelection || !take("{")) return false;
    while (!take("}")) {
      if (!is_name()) return false;
      ++at_;
      if (at_ < tokens_.size() && tokens_[at_] == "{" && !selection(depth + 1)) return false;
    }
    return true;
  }

  const RequestRule& rule_;
  std::vector<std::string_view> tokens_;
  std::size_t at_ = 0;
  std::map<std::string_view, std::string> types_;
};

}  // namespace

bool graphql_fits(const RequestRule& rule, std::string_view document) {
  auto found = tokens(document);
  return found && Document(rule, std::move(*found)).fits();
}

}  // namespace popvault::wire
