#include "vault/vault_key.hpp"

#include "crypto/compiled_salt.hpp"
#include "crypto/kdf.hpp"
#include "vault/machine_id.hpp"

namespace popvault {
namespace {

Result<SecretBytes> salt_of(VaultMode mode) {
  switch (mode) {
    case VaultMode::machine_oss: return SecretBytes::copy_of(crypto::public_salt());
    case VaultMode::machine_hardened:
      if (!crypto::hardened_build()) return fail(Errc::downgrade_refused);
      return crypto::compiled_salt();
    case VaultMode::passphrase: break;
  }
  return fail(Errc::internal, "a passphrase vault has no machine key");
}

}  // namespace

Result<SecretBytes> derive_machine_key(Fs& fs, const std::string& home, VaultMode mode) {
  PV_ASSIGN(const SecretBytes salt, salt_of(mode));
  PV_ASSIGN(const Bytes machine, machine_id(fs, home));
  return crypto::scrypt_machine_key(machine, current_username(), salt.reveal(SecretAccess{}));
}

Result<SecretBytes> derive_passphrase_key(Fs& fs, const std::string& home, const SecretBytes& passphrase) {
  PV_ASSIGN(const Bytes machine, machine_id(fs, home));
  return crypto::pbkdf2_passphrase_key(passphrase, machine);
}

SecretBytes owner_proof_seed(const SecretBytes& vault_key) {
  return crypto::hkdf_sha256(vault_key, "popvault:owner-proof");
}

}  // namespace popvault
