// The little HTTP/1.1 that a debugging port needs (RFC 9112): two requests and the head of an answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "injector/websocket.hpp"

namespace popvault::injector {

constexpr std::size_t kMaxHttpHead = 16 * 1024;
constexpr std::size_t kMaxHttpBody = 64 * 1024;

struct HttpHead {
  int status = 0;
  std::size_t size = 0;  // bytes up to and with the empty line
  std::optional<std::size_t> content_length;
  bool upgrades_to_websocket = false;
};

// Malformed: no HTTP/1.1 status line, a line without a colon, two or wrong lengths, a transfer coding, more than
// kMaxHttpHead bytes.
Parse parse_http_head(ByteView data, HttpHead& out) noexcept;

// GET /json/version, kept alive. The Host header is a loopback name: Chromium refuses others.
std::string version_request();
// The upgrade of the same connection. The path comes from the browser; it must be one of visible ASCII.
std::string upgrade_request(std::string_view path);
// "/devtools/browser/..." of "ws://HOST/devtools/browser/..."; none when it has another form.
std::optional<std::string> websocket_path(std::string_view url);

}  // namespace popvault::injector
