// The key that opens vault.enc, derived from the machine or a passphrase (DESIGN: "vault key").
//
// All of these take tens to hundreds of milliseconds: never on an event loop. Any thread. The results live in
// secret memory.
#pragma once

#include <string>

#include "base/result.hpp"
#include "os/fs.hpp"
#include "secret/secret_bytes.hpp"
#include "vault/vault_file.hpp"

namespace popvault {

// scrypt over machine id and user name with the salt of the mode. machine_hardened in a source build is
// downgrade_refused; passphrase is a broken invariant: internal.
Result<SecretBytes> derive_machine_key(Fs& fs, const std::string& home, VaultMode mode);
// PBKDF2 over the passphrase as given, with the machine id as the salt.
Result<SecretBytes> derive_passphrase_key(Fs& fs, const std::string& home, const SecretBytes& passphrase);

// The Ed25519 seed of owner proofs: HKDF of the vault key, info "popvault:owner-proof". Used only where the
// owner is: the CLI.
SecretBytes owner_proof_seed(const SecretBytes& vault_key);

}  // namespace popvault
