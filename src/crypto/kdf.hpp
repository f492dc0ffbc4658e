// Keys from passphrases, machines and other keys.
//
// Every result is in secret memory, and what the libraries leave on the stack is overwritten. The first three
// take tens to hundreds of milliseconds (scrypt: 16 MiB besides): never on an event loop. Any thread.
//
// Constants of the vault format (docs/VAULT_FORMAT.md), shared with an existing tool, so they cannot change:
// scrypt N = 2^14, r = 8, p = 1; PBKDF2 with 600 000 iterations; keys of 32 bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

struct ScryptCost {
  std::uint64_t n;  // a power of two over 1
  std::uint32_t r;
  std::uint32_t p;
};
constexpr ScryptCost kMachineCost{1U << 14, 8, 1};
constexpr std::uint32_t kPassphraseIterations = 600'000;

// password = machine_id ":" username, bytes as they are. Fails with io_error when memory is short.
Result<SecretBytes> scrypt_machine_key(ByteView machine_id, std::string_view username, ByteView salt);
// The passphrase as it was given, never normalised; it may be empty. The salt is the machine id.
Result<SecretBytes> pbkdf2_passphrase_key(const SecretBytes& passphrase, ByteView machine_id);

// RFC 7914.
Result<SecretBytes> scrypt(const SecretBytes& password, ByteView salt, ScryptCost cost, std::size_t size);
// RFC 8018 with HMAC-SHA256.
Result<SecretBytes> pbkdf2(const SecretBytes& password, ByteView salt, std::uint32_t iterations,
                           std::size_t size);
// The same with HMAC-SHA512, as BIP-39 has it.
Result<SecretBytes> pbkdf2_sha512(const SecretBytes& password, ByteView salt, std::uint32_t iterations,
                                  std::size_t size);

// RFC 5869 with a salt of 32 zero bytes; at most 255 * 32 bytes, more aborts.
SecretBytes hkdf_sha256(const SecretBytes& key, std::string_view info, std::size_t size = 32);
// The same with any salt.
SecretBytes hkdf_sha256_salted(const SecretBytes& key, ByteView salt, ByteView info, std::size_t size);

}  // namespace popvault::crypto
