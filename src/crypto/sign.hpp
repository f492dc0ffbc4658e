// Ed25519 (RFC 8032): owner proofs and journal checkpoints.
//
// The secret key stays in secret memory. Verification is strict as libsodium's: small-order and
// non-canonical points are refused. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

struct PublicKey {
  std::array<std::uint8_t, 32> bytes{};
  bool operator==(const PublicKey&) const = default;
  std::string hex() const { return to_hex(bytes); }
};

struct Signature {
  std::array<std::uint8_t, 64> bytes{};
  bool operator==(const Signature&) const = default;
  std::string hex() const { return to_hex(bytes); }
};

class SigningKey {
 public:
  // 32 bytes; another size aborts.
  static SigningKey from_seed(const SecretBytes& seed);
  const PublicKey& public_key() const noexcept { return public_; }
  Signature sign(ByteView message) const;

 private:
  SigningKey() = default;
  SecretBytes secret_;
  PublicKey public_;
};

// Whether it can be anybody's: a point of the right group, in its one form.
bool valid_public_key(const PublicKey& key);

bool verify(const PublicKey& key, ByteView message, const Signature& signature);

}  // namespace popvault::crypto
