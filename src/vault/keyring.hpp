// What an unlocked vault holds: the user master key, the live epoch keys, and what guards them.
//
// Made new, or read from the document in vault.enc (schema "2"; docs/VAULT_FORMAT.md lists the members).
// Members that this version does not know are kept and written back. Move-only; all keys are in secret memory
// and wiped with the object. Changing a Keyring changes no file: the caller writes to_document(). One thread
// at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "crypto/digest.hpp"
#include "crypto/sign.hpp"
#include "crypto/x25519.hpp"
#include "secret/secret_bytes.hpp"
#include "vault/flat_json.hpp"
#include "vault/vault_file.hpp"

namespace popvault {

constexpr std::size_t kMaxSubjects = 2000;

// The journal's head as vault.enc knows it.
struct JournalMirror {
  std::uint64_t sequence = 0;  // 0: the journal is empty
  crypto::Digest hash{};
  bool operator==(const JournalMirror&) const = default;
};

class Keyring {
 public:
  // A new master key, a new vault id ("vlt_" and 26 base32 characters), epoch 1, not frozen.
  static Keyring create(VaultMode mode);
  // The same for a vault that has an id already.
  static Keyring create(VaultMode mode, std::string vault_id);
  // A higher schema is newer_version; a missing or malformed member is vault_corrupt. A missing frozen flag
  // means frozen.
  static Result<Keyring> from_document(const VaultDocument& document);
  VaultDocument to_document() const;
  Keyring clone() const;

  const std::string& vault_id() const noexcept { return vault_id_; }
  VaultMode mode() const noexcept { return mode_; }
  bool frozen() const noexcept { return frozen_; }
  void set_frozen(bool frozen) noexcept { frozen_ = frozen; }
  // Whether a grant lived when the vault was locked: then the file granted.head must be there at the next unlock.
  bool granted() const noexcept { return granted_; }
  void set_granted(bool granted) noexcept { granted_ = granted; }
  const JournalMirror& journal() const noexcept { return journal_; }
  void set_journal(const JournalMirror& head) noexcept { journal_ = head; }

  // Public keys that may give owner proofs, in the order they were enrolled.
  const std::vector<crypto::PublicKey>& owner_keys() const noexcept { return owner_keys_; }
  void add_owner_key(const crypto::PublicKey& key);
  void remove_owner_key(const crypto::PublicKey& key);

  void set_mode(VaultMode mode) noexcept { mode_ = mode; }

  // What the recovery words gave: the public key that slots/recovery.slot and backups are sealed to, and the Ed25519
  // seed that signs backups. None before there are words.
  const std::optional<crypto::X25519PublicKey>& recovery_key() const noexcept { return recovery_key_; }
  const SecretBytes& recovery_signing() const noexcept { return recovery_signing_; }
  void set_recovery(const crypto::X25519PublicKey& key, SecretBytes signing);

  // HKDF of the master key, info "popvault:" + purpose: "journal", "row", "view", "grant".
  SecretBytes subkey(std::string_view purpose) const;
  // HKDF of the epoch key, info "popvault:record:" + id. A dead or unknown epoch is state_corrupt.
  Result<SecretBytes> record_key(std::uint32_t epoch, std::string_view record_id) const;

  // HKDF of the epoch key, info "popvault:backup": the X25519 secret with which the vault itself opens the backups
  // of its live epochs.
  Result<SecretBytes> backup_key(std::uint32_t epoch) const;

  // The keys of what the journal tells of one agent (docs/JOURNAL_FORMAT.md, "Personal payloads"): one for each period,
  // each made from the one before, so that only the oldest that is still wanted is kept and none before it can be had.
  bool has_subject(std::string_view agent) const { return subjects_.contains(agent); }
  // A new random key from this period on, in place of one that there may be. False, and nothing is done, when there are
  // kMaxSubjects already.
  bool begin_subject(std::string_view agent, std::uint32_t period);
  void drop_subject(std::string_view agent);
  // None when there is none, or when the period's key was given up.
  std::optional<SecretBytes> subject_key(std::string_view agent, std::uint32_t period) const;
  // The oldest period that there is a key for; 0 without the agent.
  std::uint32_t subject_since(std::string_view agent) const;
  // Gives up every key of a period before this one. False when there was none.
  bool forget_before(std::uint32_t period);
  // As vault.enc holds them: "agent id" -> u32 period, key; for a backup and back.
  std::vector<std::pair<std::string, SecretBytes>> subjects() const;
  bool put_subject(std::string_view agent, const SecretBytes& member);

  // New records go into the highest live epoch.
  std::uint32_t current_epoch() const noexcept { return epochs_.rbegin()->first; }
  std::vector<std::uint32_t> epochs() const;
  // Adds a new epoch with a random key and gives its number. Numbers are never used twice.
  std::uint32_t begin_epoch();
  bool has_epoch(std::uint32_t epoch) const noexcept { return epochs_.contains(epoch); }
  // Gives an epoch that nothing was sealed under yet a key; one that has a key keeps it.
  void ensure_epoch(std::uint32_t epoch);
  // Drops an older epoch's key. False for the current or an unknown one.
  bool destroy_epoch(std::uint32_t epoch);

 private:
  Keyring() = default;
  Status read_head(const VaultDocument& document);
  Status read_mirror(const VaultDocument& document);
  Status read_recovery(const VaultDocument& document);
  // A member whose name is a pattern or unknown.
  Status read_member(std::string_view name, const SecretBytes& value);

  std::string vault_id_;
  VaultMode mode_ = VaultMode::passphrase;
  SecretBytes umk_;
  struct Subject {
    std::uint32_t period;
    SecretBytes key;
  };
  std::map<std::string, Subject, std::less<>> subjects_;
  std::map<std::uint32_t, SecretBytes> epochs_;  // never empty
  std::vector<crypto::PublicKey> owner_keys_;
  std::optional<crypto::X25519PublicKey> recovery_key_;
  SecretBytes recovery_signing_;
  bool frozen_ = false;
  bool granted_ = false;
  JournalMirror journal_;
  VaultDocument unknown_;
};

}  // namespace popvault
