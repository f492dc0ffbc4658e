#include "injector/secret_frame.hpp"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "injector/websocket.hpp"

namespace popvault::injector {

// The head's size depends on the payload's, so room for the longest is left in front; behind it for a zero byte.
SecretFrame::SecretFrame(std::size_t capacity)
    : block_(SecretBytes::zeros(kMaxFrameHead + capacity + 1)), end_(kMaxFrameHead) {}

void SecretFrame::put(std::uint8_t byte) {
  if (end_ + 1 >= block_.size()) std::abort();
  block_.reveal(SecretAccess{})[end_++] = byte;
}

SecretFrame& SecretFrame::plain(std::string_view text) {
  for (const char c : text) put(static_cast<std::uint8_t>(c));
  return *this;
}

SecretFrame& SecretFrame::secret(ByteView text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const std::uint8_t byte : text) {
    if (byte == '"' || byte == '\\') {
      put('\\');
      put(byte);
    } else if (byte < 0x20) {
      plain("\\u00");
      put(static_cast<std::uint8_t>(kHex[byte >> 4]));
      put(static_cast<std::uint8_t>(kHex[byte & 15]));
    } else {
      put(byte);
    }
  }
  return *this;
}

SecretFrame& SecretFrame::secret_number(std::uint8_t value) {
  put(static_cast<std::uint8_t>('0' + value / 10 % 10));
  put(static_cast<std::uint8_t>('0' + value % 10));
  return *this;
}

SecretFrame& SecretFrame::secret_byte(std::uint8_t byte) {
  put(byte);
  return *this;
}

ByteView SecretFrame::seal_with_zero() noexcept {
  block_.reveal(SecretAccess{})[end_] = 0;
  return std::as_const(block_).reveal(SecretAccess{}).subspan(kMaxFrameHead, end_ + 1 - kMaxFrameHead);
}

ByteView SecretFrame::seal() noexcept {
  const std::span<std::uint8_t> all = block_.reveal(SecretAccess{});
  const std::span<std::uint8_t> payload = all.subspan(kMaxFrameHead, end_ - kMaxFrameHead);
  const auto mask = fresh_mask();
  std::array<std::uint8_t, kMaxFrameHead> head{};
  const std::size_t head_size = write_frame_head(head, Opcode::text, payload.size(), mask);
  apply_mask(payload, mask);
  const std::span<std::uint8_t> whole = all.subspan(kMaxFrameHead - head_size, head_size + payload.size());
  std::memcpy(whole.data(), head.data(), head_size);
  return whole;
}

}  // namespace popvault::injector
