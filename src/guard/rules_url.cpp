#include "base/origin.hpp"
#include "guard/rules.hpp"

namespace popvault::guard {
namespace {

constexpr std::size_t kMaxUrl = 64 * 1024;
constexpr std::string_view kBlank = "about:blank";

bool letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool plain_name(std::string_view host) {
  if (host.empty() || host.front() == '.' || host.back() == '.') return false;
  for (const char c : host)
    if (!letter_or_digit(c) && c != '-' && c != '.' && c != '_') return false;
  return true;
}

bool plain_ipv6(std::string_view host) {
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  for (const char c : host.substr(1, host.size() - 2))
    if (!letter_or_digit(c) && c != ':' && c != '.') return false;
  return true;
}

bool plain_port(std::string_view port) {
  if (port.empty() || port.size() > 5) return false;
  for (const char c : port)
    if (c < '0' || c > '9') return false;
  return true;
}

bool plain_authority(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos && !plain_port(text.substr(colon + 1))) return false;
  const std::string_view host = text.substr(0, colon);
  return plain_name(host) || plain_ipv6(host);
}

}  // namespace

bool url_allowed(std::string_view url) noexcept {
  if (url == kBlank) return true;
  if (url.size() > kMaxUrl) return false;
  for (const char c : url)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return false;
  if (url.empty() || url.back() == ' ') return false;
  for (const std::string_view scheme : {std::string_view("https://"), std::string_view("http://")}) {
    if (url.substr(0, scheme.size()) != scheme) continue;
    const std::string_view rest = url.substr(scheme.size());
    return plain_authority(rest.substr(0, rest.find_first_of("/?#")));
  }
  return false;
}

std::string redacted(std::string_view url) {
  const auto origin = Origin::of_url(url);
  return origin ? origin->text() : std::string(kBlank);
}

}  // namespace popvault::guard
