#include "wire/accounts.hpp"

#include <algorithm>

namespace popvault::wire {
namespace {

constexpr std::size_t kMaxToken = 8 * 1024;

// The value of the rule's source; none when the request has none there.
std::optional<std::string> source_text(const AccountRule& rule, const Url& url,
                                       const std::vector<std::pair<std::string, std::string>>& query,
                                       const Headers& headers, const Node& body) {
  switch (rule.source) {
    case AccountSource::header: {
      const std::string_view* value = headers.find(rule.name);
      return value == nullptr ? std::nullopt : std::optional<std::string>(*value);
    }
    case AccountSource::query:
      for (const auto& [name, value] : query)
        if (name == rule.name) return value;
      return std::nullopt;
    case AccountSource::segment: return std::string(url.path[rule.segment]);
    case AccountSource::member: break;
  }
  const Node* node = &body;
  for (const std::string& segment : rule.path.segments) {
    node = node->find(segment);
    if (node == nullptr) return std::nullopt;
  }
  return node->kind == Node::Kind::string ? node->text : std::string();
}

std::optional<std::string> base64url_text(std::string_view text) {
  std::string padded(text);
  for (char& c : padded) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  padded.append((4 - padded.size() % 4) % 4, '=');
  const auto bytes = from_base64(padded);
  if (!bytes) return std::nullopt;
  return std::string(as_text(*bytes));
}

// The claim of a JWT (RFC 7519); empty when it has none. The signature is the processor's to check.
std::string claim_of(std::string_view token, const std::vector<std::string>& path) {
  const std::size_t first = token.find('.'), last = token.rfind('.');
  const auto payload = base64url_text(token.substr(first + 1, last - first - 1));
  if (!payload) return {};
  const Body body = parse_json(*payload);
  if (body.fault != BodyFault::none) return {};
  const Node* node = &body.root;
  for (const std::string& segment : path) {
    node = node->find(segment);
    if (node == nullptr) return {};
  }
  return node->kind == Node::Kind::string ? node->text : std::string();
}

std::string account_of(const AccountRule& rule, std::string_view text) {
  static constexpr std::string_view kBearer = "Bearer ";
  if (rule.bearer && text.starts_with(kBearer)) text.remove_prefix(kBearer.size());
  if (text.size() > kMaxToken) return {};
  const bool token = std::count(text.begin(), text.end(), '.') == 2;
  return token && !rule.claim.empty() ? claim_of(text, rule.claim) : std::string(text);
}

}  // namespace

std::optional<Mismatch> find_account(const RequestRule& rule, const Url& url,
                                     const std::vector<std::pair<std::string, std::string>>& query, const Headers& headers,
                                     const Node& body, const std::vector<std::string>& pinned, std::string& account) {
  account.clear();
  for (const AccountRule& each : rule.accounts) {
    const auto text = source_text(each, url, query, headers, body);
    if (!text) continue;
    const std::string named = account_of(each, *text);
    if (named.empty() || std::find(pinned.begin(), pinned.end(), named) == pinned.end()) return Mismatch::account_mismatch;
    if (account.empty()) account = named;
  }
  if (account.empty()) return Mismatch::account_missing;
  return std::nullopt;
}

}  // namespace popvault::wire
