// WebSocket framing of a client (RFC 6455 section 5), as functions on buffers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace popvault::injector {

constexpr std::size_t kMaxMessage = 16 * 1024 * 1024;
constexpr std::size_t kMaxFrameHead = 14;

enum class Opcode : std::uint8_t { more = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

struct FrameHead {
  Opcode opcode{};
  bool last = false;
  std::uint64_t size = 0;     // of the payload
  std::size_t head_size = 0;  // bytes before the payload
};

enum class Parse { done, need_more, malformed };

// Reads one head from the front of `data`. Malformed: a reserved bit or opcode, a masked frame (a server's are
// not), a control frame over 125 bytes or in pieces, more than kMaxMessage bytes.
Parse parse_frame_head(ByteView data, FrameHead& out) noexcept;

// Writes the head of a single masked frame to `out`; returns its size (6, 8 or 14 bytes).
std::size_t write_frame_head(std::span<std::uint8_t, kMaxFrameHead> out, Opcode opcode, std::uint64_t size,
                             const std::array<std::uint8_t, 4>& mask) noexcept;
void apply_mask(std::span<std::uint8_t> payload, const std::array<std::uint8_t, 4>& mask) noexcept;
// Four bytes of getrandom(2).
std::array<std::uint8_t, 4> fresh_mask() noexcept;

// Puts messages together out of a byte stream: fragments are joined; a ping is kept for its answer.
class MessageReader {
 public:
  void feed(ByteView data) { buffer_.insert(buffer_.end(), data.begin(), data.end()); }
  // The next whole text message. None: more bytes are needed, or failed() or closed() tells why there are none.
  std::optional<std::string> next();
  // The payload of a ping that came in, once.
  std::optional<Bytes> take_ping();
  bool failed() const noexcept { return failed_; }
  bool closed() const noexcept { return closed_; }

 private:
  // True when a whole message is in message_.
  bool take_frame(const FrameHead& head, ByteView payload);
  void compact();

  Bytes buffer_;
  std::size_t at_ = 0;  // bytes of buffer_ that were used
  std::string message_;
  bool in_message_ = false;
  std::optional<Bytes> ping_;
  bool failed_ = false;
  bool closed_ = false;
};

}  // namespace popvault::injector
