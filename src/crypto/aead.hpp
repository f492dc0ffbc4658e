// AES-256-GCM (NIST SP 800-38D): nonce (12 bytes) || ciphertext || tag (16 bytes).
//
// The nonce is fresh random bytes made inside; there is no nonce argument. The associated data is bound but
// not stored. Keys have 32 bytes, anything else is a broken invariant: internal. The cipher context holds the
// raw key on the ordinary heap, so there is one per operation, and it is wiped and freed before the call
// returns. Any thread.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

constexpr std::size_t kAeadKeySize = 32;
constexpr std::size_t kAeadNonceSize = 12;
constexpr std::size_t kAeadTagSize = 16;
constexpr std::size_t kAeadOverhead = kAeadNonceSize + kAeadTagSize;

Result<Bytes> seal(const SecretBytes& key, ByteView plaintext, ByteView associated);

// Fails with vault_corrupt when `sealed` is under 28 bytes and with wrong_key when the tag does not match.
Result<SecretBytes> open(const SecretBytes& key, ByteView sealed, ByteView associated);

// The same, straight into the caller's memory, which has at least sealed.size() - 28 bytes; gives the number
// of bytes written. All of `out` is wiped on any failure.
Result<std::size_t> open_into(const SecretBytes& key, ByteView sealed, ByteView associated,
                              std::span<std::uint8_t> out);

}  // namespace popvault::crypto
