// Bytes in and out of flat buffers, and their text forms.
//
// Integers are big-endian. A ByteReader never reads past its span: every take is checked and the first
// failure is final. Nothing here is for secrets except through spans that the caller owns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace popvault {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

class ByteReader {
 public:
  explicit ByteReader(ByteView data) noexcept : data_(data) {}
  std::optional<std::uint8_t> u8() noexcept;
  std::optional<std::uint16_t> u16() noexcept;
  std::optional<std::uint32_t> u32() noexcept;
  std::optional<std::uint64_t> u64() noexcept;
  std::optional<ByteView> take(std::size_t n) noexcept;
  // A u16 length and that many bytes, at most `limit`.
  std::optional<std::string> text(std::size_t limit);
  std::size_t left() const noexcept { return data_.size(); }
  // True when everything was read and nothing failed.
  bool done() const noexcept { return !failed_ && data_.empty(); }

 private:
  std::optional<std::uint64_t> integer(std::size_t width) noexcept;
  ByteView data_;
  bool failed_ = false;
};

class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t v);
  ByteWriter& u16(std::uint16_t v);
  ByteWriter& u32(std::uint32_t v);
  ByteWriter& u64(std::uint64_t v);
  ByteWriter& raw(ByteView v);
  // A u16 length and the bytes; longer than 65535 is cut by a broken invariant: it aborts.
  ByteWriter& text(std::string_view v);
  const Bytes& bytes() const noexcept { return out_; }

 private:
  Bytes out_;
};

inline ByteView as_bytes(std::string_view s) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}
inline std::string_view as_text(ByteView b) noexcept {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

std::string to_hex(ByteView data);
// Even number of hex digits of either case, nothing else.
std::optional<Bytes> from_hex(std::string_view text);
// RFC 4648 section 5, no padding.
std::string to_base64url(ByteView data);
// RFC 4648 section 4, with padding.
std::string to_base64(ByteView data);
// RFC 4648 section 4: padded, canonical, nothing else in it.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace popvault
