// The way in with 24 words: keys made of the words, and the vault key sealed to one of them.
//
// A slot (docs/VAULT_FORMAT.md, "slots/recovery.slot") is made with the public key alone, so that a change of
// the passphrase needs no words. Making keys takes milliseconds (2 048 rounds of PBKDF2). Any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "crypto/x25519.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault {

constexpr std::size_t kMaxSlotFile = 4 * 1024;
constexpr std::size_t kMaxSlotKeys = 2;  // the vault key, and while it is being changed the next one

struct RecoveryKeys {
  SecretBytes x25519;   // 32 bytes: opens the slot, and backups as an age identity
  SecretBytes signing;  // 32 bytes: the Ed25519 seed that signs backups
};
// Words with a problem (crypto/bip39.hpp) abort: check first.
RecoveryKeys recovery_keys(const SecretBytes& words);

// The public key as age writes a recipient, "age1...", and the secret one as an identity,
// "AGE-SECRET-KEY-1...".
std::string age_recipient(const crypto::X25519PublicKey& key);
SecretBytes age_identity(const SecretBytes& x25519_secret);

// 1 or 2 vault keys of 32 bytes; another number or size is internal. Fails with invalid_params for a public
// key of small order.
Result<Bytes> seal_slot(const crypto::X25519PublicKey& to, std::string_view vault_id,
                        std::span<const SecretBytes* const> vault_keys);

// The vault keys in the order they were sealed. Fails with slot_damaged when a byte is changed or missing,
// which needs no key to tell, and with words_wrong when it is whole but for another key or vault.
Result<std::vector<SecretBytes>> open_slot(const SecretBytes& x25519_secret, std::string_view vault_id,
                                           ByteView slot);

}  // namespace popvault
