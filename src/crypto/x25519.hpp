// X25519 (RFC 7748): keys that others can seal to.
//
// A secret is any 32 bytes; it is clamped inside, as the RFC says, and stays in secret memory. Another size
// aborts. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

constexpr std::size_t kX25519Size = 32;

struct X25519PublicKey {
  std::array<std::uint8_t, kX25519Size> bytes{};
  // Not constant-time: public keys are public.
  bool operator==(const X25519PublicKey&) const = default;
  std::string hex() const { return to_hex(bytes); }
};

X25519PublicKey x25519_public(const SecretBytes& secret);

// The shared secret, 32 bytes. A peer of small order would make it all zeros for everybody: invalid_params.
Result<SecretBytes> x25519(const SecretBytes& secret, const X25519PublicKey& peer);

}  // namespace popvault::crypto
