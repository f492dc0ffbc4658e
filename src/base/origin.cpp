#include "base/origin.hpp"

#include <algorithm>
#include <charconv>

namespace popvault {
namespace {

constexpr std::size_t kMaxHost = 253;  // RFC 1035 section 2.3.4

bool host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool valid_host(std::string_view host) {
  if (host.empty() || host.size() > kMaxHost) return false;
  if (host.front() == '[') {
    if (host.back() != ']' || host.size() < 4) return false;
    return std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
    });
  }
  return host.front() != '.' && host.find("..") == host.npos && std::all_of(host.begin(), host.end(), host_char);
}

bool ipv4_loopback(std::string_view host) {
  if (!host.starts_with("127.")) return false;
  int dots = 0;
  std::size_t start = 0;
  while (true) {
    const std::size_t end = std::min(host.find('.', start), host.size());
    unsigned value = 256;
    const auto [at, error] = std::from_chars(host.data() + start, host.data() + end, value);
    if (error != std::errc{} || at != host.data() + end || value > 255) return false;
    if (end == host.size()) break;
    ++dots;
    start = end + 1;
  }
  return dots == 3;
}

}  // namespace

Result<Origin> Origin::parse(std::string_view text) {
  const auto wrong = [] { return fail(Errc::invalid_field, "an origin looks like https://shop.example"); };
  Origin out;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    out.https_ = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return wrong();
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::uint16_t default_port = out.https_ ? 443 : 80;
  out.port_ = default_port;
  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.find(':', bracket == rest.npos ? 0 : bracket);
  std::string_view host = rest.substr(0, colon);
  if (colon != rest.npos) {
    const std::string_view port = rest.substr(colon + 1);
    unsigned value = 0;
    const auto [at, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (error != std::errc{} || at != port.data() + port.size() || value == 0 || value > 65535) return wrong();
    out.port_ = static_cast<std::uint16_t>(value);
  }
  if (!valid_host(host)) return wrong();
  out.host_ = std::string(host);
  out.text_ = std::string(out.https_ ? "https://" : "http://").append(host);
  if (out.port_ != default_port) out.text_.append(":").append(std::to_string(out.port_));
  return out;
}

Result<Origin> Origin::of_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == url.npos) return fail(Errc::invalid_field, "not an http or https URL");
  const std::size_t end = url.find_first_of("/?#\\", scheme + 3);
  return parse(url.substr(0, end));
}

bool Origin::loopback() const noexcept {
  return host_ == "localhost" || host_ == "[::1]" || host_.ends_with(".localhost") || ipv4_loopback(host_);
}

}  // namespace popvault
