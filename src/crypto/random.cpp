#include "crypto/random.hpp"

#include <sodium.h>

#include "crypto/startup.hpp"

namespace popvault::crypto {

void fill_random(std::span<std::uint8_t> out) {
  initialise();
  randombytes_buf(out.data(), out.size());
}

SecretBytes random_secret(std::size_t size) {
  SecretBytes out = SecretBytes::zeros(size);
  fill_random(out.reveal(SecretAccess{}));
  return out;
}

std::string random_token(std::size_t characters) {
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  Bytes raw(characters);
  fill_random(raw);
  std::string out;
  out.reserve(characters);
  for (const std::uint8_t b : raw) out.push_back(kAlphabet[b & 31]);
  return out;
}

}  // namespace popvault::crypto
