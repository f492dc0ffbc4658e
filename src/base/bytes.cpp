#include "base/bytes.hpp"

#include <cstdlib>

namespace popvault {

std::optional<ByteView> ByteReader::take(std::size_t n) noexcept {
  if (failed_ || n > data_.size()) {
    failed_ = true;
    return std::nullopt;
  }
  const ByteView out = data_.first(n);
  data_ = data_.subspan(n);
  return out;
}

std::optional<std::uint64_t> ByteReader::integer(std::size_t width) noexcept {
  const auto raw = take(width);
  if (!raw) return std::nullopt;
  std::uint64_t v = 0;
  for (const std::uint8_t b : *raw) v = v << 8 | b;
  return v;
}

std::optional<std::uint8_t> ByteReader::u8() noexcept {
  const auto v = integer(1);
  return v ? std::optional(static_cast<std::uint8_t>(*v)) : std::nullopt;
}
std::optional<std::uint16_t> ByteReader::u16() noexcept {
  const auto v = integer(2);
  return v ? std::optional(static_cast<std::uint16_t>(*v)) : std::nullopt;
}
std::optional<std::uint32_t> ByteReader::u32() noexcept {
  const auto v = integer(4);
  return v ? std::optional(static_cast<std::uint32_t>(*v)) : std::nullopt;
}
std::optional<std::uint64_t> ByteReader::u64() noexcept { return integer(8); }

std::optional<std::string> ByteReader::text(std::size_t limit) {
  const auto size = u16();
  if (!size || *size > limit) {
    failed_ = true;
    return std::nullopt;
  }
  const auto raw = take(*size);
  if (!raw) return std::nullopt;
  return std::string(as_text(*raw));
}

ByteWriter& ByteWriter::u8(std::uint8_t v) {
  out_.push_back(v);
  return *this;
}
ByteWriter& ByteWriter::u16(std::uint16_t v) {
  return u8(static_cast<std::uint8_t>(v >> 8)).u8(static_cast<std::uint8_t>(v & 0xff));
}
ByteWriter& ByteWriter::u32(std::uint32_t v) {
  return u16(static_cast<std::uint16_t>(v >> 16)).u16(static_cast<std::uint16_t>(v & 0xffff));
}
ByteWriter& ByteWriter::u64(std::uint64_t v) {
  return u32(static_cast<std::uint32_t>(v >> 32)).u32(static_cast<std::uint32_t>(v & 0xffffffffU));
}
ByteWriter& ByteWriter::raw(ByteView v) {
  out_.insert(out_.end(), v.begin(), v.end());
  return *this;
}
ByteWriter& ByteWriter::text(std::string_view v) {
  if (v.size() > 0xffff) std::abort();
  return u16(static_cast<std::uint16_t>(v.size())).raw(as_bytes(v));
}

std::string to_hex(ByteView data) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(data.size() * 2);
  for (const std::uint8_t b : data) {
    out.push_back(kDigits[b >> 4]);
    out.push_back(kDigits[b & 15]);
  }
  return out;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return out;
}

namespace {

std::string base64(ByteView data, std::string_view alphabet, bool padding) {
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, data.size() - i);
    std::uint32_t v = static_cast<std::uint32_t>(data[i]) << 16;
    if (n > 1) v |= static_cast<std::uint32_t>(data[i + 1]) << 8;
    if (n > 2) v |= data[i + 2];
    for (std::size_t k = 0; k <= n; ++k) out.push_back(alphabet[v >> (18 - 6 * k) & 63]);
    if (padding) out.append(3 - n, '=');
  }
  return out;
}

}  // namespace

std::string to_base64url(ByteView data) {
  return base64(data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}
std::string to_base64(ByteView data) {
  return base64(data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

std::optional<Bytes> from_base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  std::string_view digits = text;
  for (int i = 0; i < 2 && digits.ends_with('='); ++i) digits.remove_suffix(1);
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : digits) {
    const std::size_t value = kAlphabet.find(c);
    if (value == kAlphabet.npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<std::uint8_t>(bits >> count & 0xff));
    bits &= (1U << count) - 1;
  }
  if (bits != 0 || count == 6) return std::nullopt;
  return out;
}

}  // namespace popvault
