// vault.enc and .vault_mode in the home (docs/VAULT_FORMAT.md).
//
// vault.enc is nonce (12) || ciphertext || tag (16), AES-256-GCM with no associated data and no header: the
// format is shared with an existing tool. One writer per home (the daemon); any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "os/fs.hpp"
#include "secret/secret_bytes.hpp"
#include "vault/flat_json.hpp"

namespace popvault {

constexpr std::size_t kMaxVaultFile = 1024 * 1024;

enum class VaultMode : std::uint8_t { passphrase, machine_hardened, machine_oss };
// "passphrase", "machine-hardened", "machine-oss".
std::string_view to_string(VaultMode mode) noexcept;
// Those and the older words "hardened" and "oss".
std::optional<VaultMode> vault_mode_of(std::string_view word) noexcept;

Result<Bytes> seal_vault(const SecretBytes& key, const VaultDocument& document);
// Under 28 bytes, or authentic but not a flat object of strings: vault_corrupt. Tag failure: wrong_key.
Result<VaultDocument> open_vault(const SecretBytes& key, ByteView file);

std::string vault_path(std::string_view home);
// Fails with vault_missing, insecure_file, vault_corrupt (over 1 MiB), io_error.
Result<Bytes> read_vault(Fs& fs, const std::string& home);
// Replaces vault.enc atomically; what is read back must decrypt to `document` before the old file is given
// up.
Status write_vault(Fs& fs, const std::string& home, const SecretBytes& key, const VaultDocument& document);
// The same for bytes from seal_vault, for a caller that notes their SHA-256 first.
Status write_sealed_vault(Fs& fs, const std::string& home, const SecretBytes& key, ByteView sealed);

struct VaultModeMarker {
  VaultMode mode;
  bool rewritten;  // it held an older word and now holds the new one
};
// .vault_mode: one word and at most one line end. Missing or another word: vault_mode_mismatch.
Result<VaultModeMarker> read_vault_mode(Fs& fs, const std::string& home);
Status write_vault_mode(Fs& fs, const std::string& home, VaultMode mode);

// Removes what writers that were killed left anywhere under the home; gives the number.
Result<std::size_t> wipe_vault_temporaries(Fs& fs, const std::string& home);

}  // namespace popvault
