#include "injector/http.hpp"

#include <algorithm>
#include <charconv>

namespace popvault::injector {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Number>
bool whole_number(std::string_view text, Number& out) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && at == text.data() + text.size() && !text.empty();
}

bool take_header(std::string_view line, HttpHead& out) {
  const std::size_t colon = line.find(':');
  if (colon == line.npos || colon == 0) return false;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "content-length") {
    std::size_t length = 0;
    if (out.content_length || !whole_number(value, length)) return false;
    out.content_length = length;
  } else if (name == "transfer-encoding") {
    return false;
  } else if (name == "upgrade") {
    out.upgrades_to_websocket = lower(value) == "websocket";
  }
  return true;
}

}  // namespace

Parse parse_http_head(ByteView data, HttpHead& out) noexcept {
  const std::string_view text = as_text(data);
  const std::size_t end = text.substr(0, kMaxHttpHead).find("\r\n\r\n");
  if (end == text.npos) return text.size() >= kMaxHttpHead ? Parse::malformed : Parse::need_more;
  out = HttpHead{};
  out.size = end + 4;
  std::string_view rest = text.substr(0, end + 2);
  bool first = true;
  while (!rest.empty()) {
    const std::size_t line_end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, line_end);
    rest.remove_prefix(line_end + 2);
    if (first) {
      if (!line.starts_with("HTTP/1.1 ") || !whole_number(line.substr(9, 3), out.status))
        return Parse::malformed;
      if (line.size() > 12 && line[12] != ' ') return Parse::malformed;
      first = false;
    } else if (!take_header(line, out)) {
      return Parse::malformed;
    }
  }
  return Parse::done;
}

std::string version_request() {
  return "GET /json/version HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
}

std::string upgrade_request(std::string_view path) {
  // The key only shows that the answer is not a cached one; behind this socket is the browser and no cache, so
  // that any sixteen bytes do, and the answer's hash of it is not checked.
  return std::string("GET ").append(path).append(
      " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: cG9wdmF1bHQtaW5qZWN0bw==\r\nSec-WebSocket-Version: 13\r\n\r\n");
}

std::optional<std::string> websocket_path(std::string_view url) {
  if (!url.starts_with("ws://")) return std::nullopt;
  const std::size_t slash = url.find('/', 5);
  if (slash == url.npos) return std::nullopt;
  const std::string_view path = url.substr(slash);
  const bool plain = std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!plain || !path.starts_with("/devtools/browser") || path.size() > 200) return std::nullopt;
  return std::string(path);
}

}  // namespace popvault::injector
