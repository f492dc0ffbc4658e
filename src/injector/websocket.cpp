#include "injector/websocket.hpp"

#include <sys/random.h>

#include <cstdlib>
#include <utility>

namespace popvault::injector {
namespace {

bool known(std::uint8_t opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

// The payload's size after the first two bytes; malformed also when a longer form than needed is used.
Parse parse_size(ByteReader& in, std::uint8_t small, FrameHead& out) {
  out.head_size = 2;
  out.size = small;
  if (small == 126) {
    const auto size = in.u16();
    if (!size) return Parse::need_more;
    out.size = *size;
    out.head_size = 4;
    return *size < 126 ? Parse::malformed : Parse::done;
  }
  if (small == 127) {
    const auto size = in.u64();
    if (!size) return Parse::need_more;
    out.size = *size;
    out.head_size = 10;
    return *size <= 0xffff ? Parse::malformed : Parse::done;
  }
  return Parse::done;
}

}  // namespace

Parse parse_frame_head(ByteView data, FrameHead& out) noexcept {
  ByteReader in(data);
  const auto first = in.u8();
  const auto second = in.u8();
  if (!second) return Parse::need_more;
  const std::uint8_t opcode = *first & 15;
  if ((*first & 0x70) != 0 || !known(opcode) || (*second & 0x80) != 0) return Parse::malformed;
  out.opcode = static_cast<Opcode>(opcode);
  out.last = (*first & 0x80) != 0;
  const std::uint8_t small = *second & 0x7f;
  if (opcode >= 8 && (small > 125 || !out.last)) return Parse::malformed;
  const Parse size = parse_size(in, small, out);
  if (size != Parse::done) return size;
  return out.size > kMaxMessage ? Parse::malformed : Parse::done;
}

std::size_t write_frame_head(std::span<std::uint8_t, kMaxFrameHead> out, Opcode opcode, std::uint64_t size,
                             const std::array<std::uint8_t, 4>& mask) noexcept {
  std::size_t at = 0;
  out[at++] = static_cast<std::uint8_t>(0x80 | static_cast<unsigned>(opcode));
  const unsigned width = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
  out[at++] = static_cast<std::uint8_t>(0x80 | (width == 0 ? size : width == 2 ? 126 : 127));
  for (unsigned i = width; i-- > 0;) out[at++] = static_cast<std::uint8_t>(size >> (8 * i) & 0xff);
  for (const std::uint8_t byte : mask) out[at++] = byte;
  return at;
}

void apply_mask(std::span<std::uint8_t> payload, const std::array<std::uint8_t, 4>& mask) noexcept {
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<std::uint8_t>(payload[i] ^ mask[i & 3]);
}

std::array<std::uint8_t, 4> fresh_mask() noexcept {
  std::array<std::uint8_t, 4> mask{};
  // Four bytes are never cut short (getrandom(2)); it fails only before the kernel's pool is ready.
  if (getrandom(mask.data(), mask.size(), 0) != static_cast<ssize_t>(mask.size())) std::abort();
  return mask;
}

std::optional<std::string> MessageReader::next() {
  while (!failed_ && !closed_) {
    const ByteView rest = ByteView(buffer_).subspan(at_);
    FrameHead head;
    const Parse parsed = parse_frame_head(rest, head);
    failed_ = parsed == Parse::malformed;
    if (parsed != Parse::done || rest.size() - head.head_size < head.size) break;
    const bool whole = take_frame(head, rest.subspan(head.head_size, head.size));
    at_ += head.head_size + head.size;
    if (whole) return std::exchange(message_, {});
  }
  compact();
  return std::nullopt;
}

bool MessageReader::take_frame(const FrameHead& head, ByteView payload) {
  switch (head.opcode) {
    case Opcode::ping: ping_ = Bytes(payload.begin(), payload.end()); return false;
    case Opcode::pong: return false;
    case Opcode::close: closed_ = true; return false;
    case Opcode::binary:  // CDP is text
      failed_ = true;
      return false;
    case Opcode::text:
    case Opcode::more: break;
  }
  const bool continues = head.opcode == Opcode::more;
  if (continues != in_message_ || message_.size() + payload.size() > kMaxMessage) {
    failed_ = true;
    return false;
  }
  message_.append(as_text(payload));
  in_message_ = !head.last;
  return head.last;
}

std::optional<Bytes> MessageReader::take_ping() { return std::exchange(ping_, std::nullopt); }

void MessageReader::compact() {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
  at_ = 0;
}

}  // namespace popvault::injector
