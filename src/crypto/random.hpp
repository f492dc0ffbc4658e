// Random bytes from the kernel (libsodium's randombytes, which uses getrandom). Aborts when there is none.
// Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

void fill_random(std::span<std::uint8_t> out);
SecretBytes random_secret(std::size_t size);
// Lower-case base32 (a to z, 2 to 7; RFC 4648 section 6), each character uniform: 5 bits each, so 26
// characters are 130 bits.
std::string random_token(std::size_t characters);

}  // namespace popvault::crypto
