#include "crypto/totp.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>

#include "crypto/startup.hpp"

namespace popvault::crypto {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void must(bool ok) {
  if (!ok) std::abort();
}

struct Algorithm {
  const char* name;
  std::size_t size;
};
constexpr std::array<Algorithm, 3> kAlgorithms = {{{"SHA1", 20}, {"SHA256", 32}, {"SHA512", 64}}};

SecretBytes hmac(const SecretBytes& key, OtpHash hash, ByteView message) {
  initialise();
  const Algorithm& algorithm = kAlgorithms[static_cast<std::size_t>(hash)];
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                                                              &EVP_MAC_free);
  must(mac != nullptr);
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> ctx(EVP_MAC_CTX_new(mac.get()),
                                                                      &EVP_MAC_CTX_free);
  std::string name = algorithm.name;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
                               OSSL_PARAM_construct_end()};
  // A null key would mean "keep the old one": an empty key needs an address too.
  static constexpr std::uint8_t kNothing = 0;
  const ByteView raw = key.reveal(SecretAccess{});
  must(ctx != nullptr &&
       EVP_MAC_init(ctx.get(), raw.empty() ? &kNothing : raw.data(), raw.size(), params) == 1);
  must(EVP_MAC_update(ctx.get(), message.data(), message.size()) == 1);
  SecretBytes out = SecretBytes::zeros(algorithm.size);
  std::size_t size = 0;
  must(EVP_MAC_final(ctx.get(), out.reveal(SecretAccess{}).data(), &size, out.size()) == 1 &&
       size == out.size());
  return out;
}

// RFC 4226 section 5.3.
std::uint32_t truncated_mac(ByteView mac) noexcept {
  const std::size_t at = mac.back() & 0x0fU;
  return (mac[at] & 0x7fU) << 24 | static_cast<std::uint32_t>(mac[at + 1]) << 16 |
         static_cast<std::uint32_t>(mac[at + 2]) << 8 | mac[at + 3];
}

// 0 to 31, or -1.
int value_of(std::uint8_t c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a';
  if (c >= '2' && c <= '7') return c - '2' + 26;
  return -1;
}

}  // namespace

SecretBytes hotp(const SecretBytes& seed, std::uint64_t counter, OtpHash hash, unsigned digits) {
  must(digits >= 6 && digits <= 8);
  std::array<std::uint8_t, 8> message;
  for (std::size_t i = 0; i < message.size(); ++i)
    message[i] = static_cast<std::uint8_t>(counter >> (56 - 8 * i));
  const SecretBytes mac = hmac(seed, hash, message);
  std::uint32_t number = truncated_mac(mac.reveal(SecretAccess{}));
  SecretBytes code = SecretBytes::zeros(digits);
  const std::span<std::uint8_t> out = code.reveal(SecretAccess{});
  for (std::size_t i = digits; i-- > 0; number /= 10) out[i] = static_cast<std::uint8_t>('0' + number % 10);
  return code;
}

SecretBytes totp(const SecretBytes& seed, std::int64_t now, const TotpForm& form) {
  must(form.period > 0);
  const auto counter = static_cast<std::uint64_t>(std::max<std::int64_t>(now, 0)) / form.period;
  return hotp(seed, counter, form.hash, form.digits);
}

std::uint32_t totp_seconds_left(std::int64_t now, std::uint32_t period) noexcept {
  const auto passed = static_cast<std::uint64_t>(std::max<std::int64_t>(now, 0)) % period;
  return period - static_cast<std::uint32_t>(passed);
}

Result<SecretBytes> base32_bytes(ByteView text) {
  SecretBytes out = SecretBytes::zeros(text.size() * 5 / 8 + 1);
  const std::span<std::uint8_t> bytes = out.reveal(SecretAccess{});
  std::size_t characters = 0, size = 0;
  std::uint32_t bits = 0;
  bool padded = false;
  for (const std::uint8_t c : text) {
    if (c == ' ' || c == '-') continue;
    padded = padded || c == '=';
    if (c == '=') continue;
    const int value = value_of(c);
    if (value < 0 || padded) return fail(Errc::invalid_field);
    bits = (bits << 5 | static_cast<std::uint32_t>(value)) & 0xfffU;
    if (++characters * 5 / 8 > size)
      bytes[size++] = static_cast<std::uint8_t>(bits >> (characters * 5 % 8) & 0xffU);
  }
  const std::size_t rest = characters % 8;
  if (size == 0 || rest == 1 || rest == 3 || rest == 6) return fail(Errc::invalid_field);
  out.shrink(size);
  return out;
}

SecretBytes base32_text(const SecretBytes& bytes) {
  const ByteView in = bytes.reveal(SecretAccess{});
  SecretBytes out = SecretBytes::zeros((in.size() * 8 + 4) / 5);
  const std::span<std::uint8_t> text = out.reveal(SecretAccess{});
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t bit = i * 5;
    const unsigned high = in[bit / 8], low = bit / 8 + 1 < in.size() ? in[bit / 8 + 1] : 0U;
    text[i] = static_cast<std::uint8_t>(kAlphabet[(high << 8 | low) >> (11 - bit % 8) & 31U]);
  }
  return out;
}

}  // namespace popvault::crypto
