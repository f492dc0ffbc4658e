#include "vault/secret_hex.hpp"

namespace popvault {
namespace {

// All ones when a <= x <= b, else zero; arithmetic on values under 256.
unsigned within(unsigned x, unsigned a, unsigned b) noexcept { return ~((x - a) | (b - x)) >> 8 & 0xffU; }

std::uint8_t digit_of(unsigned value) noexcept {
  return static_cast<std::uint8_t>('0' + value + (within(value, 10, 15) & ('a' - '0' - 10)));
}

// Adds to `bad` when the character is no digit.
unsigned value_of(unsigned c, unsigned& bad) noexcept {
  const unsigned decimal = within(c, '0', '9');
  const unsigned letter = within(c, 'a', 'f');
  bad |= ~(decimal | letter) & 0xffU;
  return (decimal & (c - '0')) | (letter & (c - 'a' + 10));
}

}  // namespace

SecretBytes secret_to_hex(const SecretBytes& data) {
  SecretBytes out = SecretBytes::zeros(data.size() * 2);
  std::uint8_t* at = out.reveal(SecretAccess{}).data();
  for (const std::uint8_t b : data.reveal(SecretAccess{})) {
    *at++ = digit_of(b >> 4U);
    *at++ = digit_of(b & 15U);
  }
  return out;
}

std::optional<SecretBytes> secret_from_hex(const SecretBytes& text, std::size_t size) {
  if (text.size() != size * 2) return std::nullopt;
  SecretBytes out = SecretBytes::zeros(size);
  const ByteView in = text.reveal(SecretAccess{});
  const std::span<std::uint8_t> into = out.reveal(SecretAccess{});
  unsigned bad = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned high = value_of(in[2 * i], bad);
    into[i] = static_cast<std::uint8_t>(high << 4 | value_of(in[2 * i + 1], bad));
  }
  if (bad != 0) return std::nullopt;
  return out;
}

}  // namespace popvault
