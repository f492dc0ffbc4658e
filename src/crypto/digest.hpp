// SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104).
//
// A list of pieces is hashed as their concatenation: a caller whose pieces vary in length puts the lengths
// in. Any thread. Cannot fail but by lack of memory, which aborts.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/bytes.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};
  // Not constant-time: for digests that are public. MACs are compared with equal_constant_time.
  bool operator==(const Digest&) const = default;
  std::string hex() const { return to_hex(bytes); }
};

Digest sha256(ByteView data);
Digest sha256(std::initializer_list<ByteView> pieces);

// The same piece by piece. The state holds up to 64 bytes of what is hashed, so it lives in secret memory.
// One thread at a time.
class Sha256 {
 public:
  Sha256();
  void update(ByteView data);
  // The digest of everything so far; more may follow.
  Digest so_far() const;

 private:
  SecretBytes state_;
};

Digest hmac_sha256(const SecretBytes& key, std::initializer_list<ByteView> pieces);

}  // namespace popvault::crypto
