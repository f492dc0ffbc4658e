#include "guard/request_check.hpp"

namespace popvault::guard {
namespace {

// In a time that does not tell how much is right.
bool same(std::string_view a, std::string_view b) {
  unsigned char differ = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) differ |= static_cast<unsigned char>(a[i] ^ b[i]);
  return differ == 0;
}

bool host_is_ours(std::string_view host, std::uint16_t port) {
  for (const std::string_view name : {"127.0.0.1", "localhost", "[::1]"})
    if (host == std::string(name) + ":" + std::to_string(port)) return true;
  return false;
}

bool token_in_query(std::string_view query, std::string_view token) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view part = query.substr(0, end);
    if (part.substr(0, 6) == "token=" && same(part.substr(6), token)) return true;
    if (end == std::string_view::npos) return false;
    query.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

CheckedRequest check_request(const RequestHead& head, std::uint16_t port, std::string_view token) {
  CheckedRequest out;
  if (head.hosts != 1 || !host_is_ours(head.host, port)) return {403, "the Host header is not this endpoint", {}, {}};
  if (head.from_web) return {403, "pages may not ask here", {}, {}};
  if (head.target.empty() || head.target[0] != '/') return {400, "not a path", {}, {}};
  std::string_view target = head.target;
  const auto question = target.find('?');
  if (question != std::string_view::npos) out.query = target.substr(question + 1);
  target = target.substr(0, question);
  if (!token.empty()) {
    const std::string_view first = target.substr(1, target.find('/', 1) - 1);
    const bool in_path = same(first, token);
    if (!in_path && !token_in_query(out.query, token)) return {401, "the token is missing or wrong", {}, {}};
    if (in_path) target.remove_prefix(1 + first.size());
  }
  while (target.size() > 1 && target.back() == '/') target.remove_suffix(1);
  out.path = target.empty() ? "/" : std::string(target);
  return out;
}

}  // namespace popvault::guard
