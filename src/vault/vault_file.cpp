#include "vault/vault_file.hpp"

#include "crypto/aead.hpp"
#include "os/atomic_file.hpp"

namespace popvault {
namespace {

struct ModeWord {
  std::string_view word;
  VaultMode mode;
};
// The first word of a mode is the one that is written.
constexpr ModeWord kModeWords[] = {
    {"passphrase", VaultMode::passphrase},   {"machine-hardened", VaultMode::machine_hardened},
    {"machine-oss", VaultMode::machine_oss}, {"hardened", VaultMode::machine_hardened},
    {"oss", VaultMode::machine_oss},
};
constexpr std::size_t kMaxModeFile = 64;

std::string mode_path(const std::string& home) { return home + "/.vault_mode"; }

}  // namespace

std::string_view to_string(VaultMode mode) noexcept {
  for (const ModeWord& row : kModeWords)
    if (row.mode == mode) return row.word;
  return "passphrase";
}

std::optional<VaultMode> vault_mode_of(std::string_view word) noexcept {
  for (const ModeWord& row : kModeWords)
    if (row.word == word) return row.mode;
  return std::nullopt;
}

Result<Bytes> seal_vault(const SecretBytes& key, const VaultDocument& document) {
  const SecretBytes text = document.serialise();
  if (text.size() + crypto::kAeadOverhead > kMaxVaultFile)
    return fail(Errc::internal, "vault.enc would be too large");
  return crypto::seal(key, text.reveal(SecretAccess{}), {});
}

Result<VaultDocument> open_vault(const SecretBytes& key, ByteView file) {
  PV_ASSIGN(const SecretBytes text, crypto::open(key, file, {}));
  return VaultDocument::parse(text);
}

std::string vault_path(std::string_view home) { return std::string(home) + "/vault.enc"; }

Result<Bytes> read_vault(Fs& fs, const std::string& home) {
  Result<Bytes> file = read_owned(fs, vault_path(home), kMaxVaultFile);
  if (!file && file.error().code == Errc::not_found) return fail(Errc::vault_missing);
  return file;
}

Status write_vault(Fs& fs, const std::string& home, const SecretBytes& key, const VaultDocument& document) {
  PV_ASSIGN(const Bytes sealed, seal_vault(key, document));
  return write_sealed_vault(fs, home, key, sealed);
}

Status write_sealed_vault(Fs& fs, const std::string& home, const SecretBytes& key, ByteView sealed) {
  // write_atomic has compared the bytes with what was meant; this proves that the key opens them.
  return write_atomic(fs, vault_path(home), sealed, [&](ByteView back) -> Status {
    PV_TRY(open_vault(key, back));
    return {};
  });
}

Result<VaultModeMarker> read_vault_mode(Fs& fs, const std::string& home) {
  Result<Bytes> file = read_owned(fs, mode_path(home), kMaxModeFile);
  if (!file && (file.error().code == Errc::not_found || file.error().code == Errc::vault_corrupt))
    return fail(Errc::vault_mode_mismatch);
  if (!file) return tl::unexpected(file.error());
  std::string_view word = as_text(*file);
  if (word.ends_with('\n')) word.remove_suffix(1);
  const std::optional<VaultMode> mode = vault_mode_of(word);
  if (!mode) return fail(Errc::vault_mode_mismatch);
  const bool older = word != to_string(*mode);
  // A disk that is full does not make the old word wrong: the next start tries again.
  const bool rewritten = older && write_vault_mode(fs, home, *mode).has_value();
  return VaultModeMarker{*mode, rewritten};
}

Status write_vault_mode(Fs& fs, const std::string& home, VaultMode mode) {
  return write_atomic(fs, mode_path(home), as_bytes(to_string(mode)));
}

Result<std::size_t> wipe_vault_temporaries(Fs& fs, const std::string& home) {
  PV_ASSIGN(std::size_t removed, wipe_stale_temporaries(fs, home));
  PV_ASSIGN(const std::size_t slots, wipe_stale_temporaries(fs, home + "/slots"));
  removed += slots;
  const std::string blobs = home + "/blobs";
  PV_ASSIGN(const auto kinds, list_dir(fs, blobs));
  for (const std::string& kind : kinds) {
    PV_ASSIGN(const auto epochs, list_dir(fs, blobs + '/' + kind));
    for (const std::string& epoch : epochs) {
      PV_ASSIGN(const std::size_t more, wipe_stale_temporaries(fs, blobs + '/' + kind + '/' + epoch));
      removed += more;
    }
  }
  return removed;
}

}  // namespace popvault
