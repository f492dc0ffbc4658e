// The vault of one home, as the daemon holds it: not made yet, locked, or unlocked with its keys.
//
// The only place that writes vault.enc, and the only one that commits changes of authority: commit() makes the
// rows durable and mirrors the journal's head into vault.enc. Keys live in secret memory and are wiped by
// lock(). One thread (the loop's); derive keys elsewhere.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backup/backup.hpp"
#include "ledger/book.hpp"
#include "os/clock.hpp"
#include "os/fs.hpp"
#include "session/grants.hpp"
#include "crypto/sign.hpp"
#include "store/store.hpp"
#include "vault/keyring.hpp"
#include "vault/recovery.hpp"

namespace popvault {

constexpr std::string_view kRecoveryRow = "recovery";  // of the settings
constexpr std::string_view kBackupRow = "backup";
constexpr std::string_view kApprovalsProof = "approvals.proof";  // "fresh" (also without a row) or "session"

std::string recovery_slot_path(const std::string& home);

// damaged: the files contradict each other so plainly that nothing is read from them or written to them.
// granted: locked for the owner, while a grant's agent may use its records.
enum class State : std::uint8_t { uninitialised = 1, locked = 2, unlocked = 4, damaged = 8, granted = 16 };
std::string_view to_string(State state) noexcept;

class Session {
 public:
  // Makes the home (0700) if it is absent, wipes what killed writers left, opens state.db if there is one. Files
  // that cannot be what they should give a damaged session, so that its owner can be told.
  static Result<std::unique_ptr<Session>> open(const std::string& home, Fs& fs, const Clock& clock);

  State state() const noexcept;
  // Why the state is damaged.
  const Error& damage() const noexcept { return *damage_; }
  const std::string& home() const noexcept { return home_; }
  const Clock& clock() const noexcept { return *clock_; }
  Fs& fs() const noexcept { return *fs_; }

  // The mode as the files tell; checked for a downgrade. Fails with vault_missing, vault_mode_mismatch,
  // downgrade_refused.
  Result<VaultMode> mode();
  // The same for display and as a hint how to derive the key; none when nothing says so.
  std::optional<std::string> shown_mode();
  // A new vault under `key`. On failure there is none, and a later try starts afresh.
  Status init(VaultMode mode, const SecretBytes& key);
  // Everything is checked before anything is believed; on failure the vault stays locked.
  Status unlock(SecretBytes key);
  // Called in unlock() when the key was right and everything verified, before any time is read.
  void when_opened(std::function<void()> opened) { opened_ = std::move(opened); }
  // Whether a purchase is being filled by somebody, under a grant: an unlock leaves it alone.
  void when_in_use(std::function<bool(const std::string& purchase)> in_use) { in_use_ = std::move(in_use); }
  // Live grants keep what they need; drop_grants() takes that away as well.
  void lock();
  // When the session ends: 24 hours after the unlock, or the setting lock.after.
  Seconds expires_at() const noexcept { return expires_at_; }
  // After lock.after was changed.
  Status keep_time();

  // Execution grants (session/grants.hpp). create: only while unlocked; `sealed` writes a file that the service's key opens
  // after a restart (credential_missing without one). revoke: in every state, counts at once.
  Result<Grant> create_grant(const std::string& agent, const std::vector<std::string>& records, Seconds ttl, bool sealed);
  Status revoke_grant(const std::string& id);
  const Grants& grants() const noexcept { return grants_; }
  void drop_grants();
  // Those whose time is over end; without any left a granted vault is locked.
  void end_overdue_grants();
  // At the daemon's start: the grants that were sealed to the service's key live again.
  // `path`: a file of at least 32 bytes, read straight into secret memory. Absent: credential_missing.
  Status use_service_credential(const std::string& path);
  Status open_sealed_grants();
  // The key that opens a record for an agent: unlocked, or its grant; else locked.
  Result<SecretBytes> record_key(const store::Row& record, std::string_view agent) const;
  // The records that an agent may use now: all while unlocked, else those of its grants.
  bool covers(std::string_view agent, std::string_view record) const;

  // Frozen as far as can be known now; while locked the row cannot be verified, and anything that is not
  // plainly "not frozen" counts as frozen.
  bool frozen();
  Status set_frozen(bool frozen);

  // A deny, revoke, suspend or freeze that cannot be sealed now, because the vault is locked or vault.enc cannot be
  // written. It counts from this call on, whatever the disk says; the status tells whether it is durable. It
  // is folded into sealed rows at the next unlock or housekeeping.
  Status narrow(std::string_view what, std::string_view id);
  bool narrowed(std::string_view what, std::string_view id) const;
  // Whether state.db still has what .narrowed says was narrowed last.
  Status check_narrowed_mark();
  // Folds what is pending, while unlocked.
  Status fold_narrowings();

  // Only between init and the end. keys(): only while unlocked.
  store::Store& store() noexcept { return *store_; }
  const Keyring& keys() const noexcept { return *keys_; }
  const SecretBytes& view_key() const noexcept { return view_key_; }
  // Purchases and money; of rows that were verified.
  ledger::Book& book() noexcept { return book_; }
  // The public half of the key that the passphrase, or the machine, gives to sign owner proofs.
  crypto::PublicKey own_proof_key() const;
  bool has_store() const noexcept { return store_.has_value(); }
  std::string vault_id();

  // Before a change of authority: no other may stand beyond the mirror.
  Result<store::Transaction> begin();
  // Commits and mirrors: into vault.enc, or while only granted into the signed file granted.head. When only the mirror fails
  // the change stands; the next begin() mirrors again first.
  Status commit(store::Transaction& transaction) { return commit(transaction, {}); }
  // The same together with a change of the keyring: both stand or neither.
  Status commit(store::Transaction& transaction, const std::function<void(Keyring&)>& change);

  // From now on `key` opens the vault, in this mode, and gives the owner proofs. When it fails, the old key still
  // does, unless the error says that it is done. slots/recovery.slot follows.
  Status rekey(VaultMode mode, SecretBytes key);
  // The recovery words' keys: seals the vault key to the public one, and keeps the seed that signs backups.
  Status enroll_recovery(const crypto::X25519PublicKey& key, SecretBytes signing);
  // Unlocks with what slots/recovery.slot holds for this X25519 secret, then rekeys to `key` in passphrase mode.
  // Fails with recovery_missing, slot_damaged, words_wrong, and leaves the vault locked then.
  // `lock_first` locks an unlocked vault, once the slot was opened.
  Status recover(const SecretBytes& recovery_secret, SecretBytes key, const std::function<void()>& lock_first);

  // A vault out of a backup, in an empty home: a new master key and a new epoch under `key`, the backup's vault id,
  // journal, records and rows; every agent's key is revoked. `read` is called twice, with a visitor that must see the
  // same backup, read to its end and verified, each time. Left locked; on failure there is no vault.
  using ReadBackup = std::function<Result<Manifest>(BackupVisitor&)>;
  Status restore(const SecretBytes& key, const Manifest& manifest, const RecoveryKeys* recovery, const ReadBackup& read);

  // For rows whose kind changes no authority (journal::changes_authority): one durable commit, no mirror.
  Result<store::Transaction> begin_unmirrored();
  Status commit_unmirrored(store::Transaction& transaction) { return transaction.commit(); }

  // The public key of the journal's checkpoints, once the vault was open; it is no secret and stays known.
  const std::optional<crypto::PublicKey>& journal_key() const noexcept { return signer_; }
  // A head of the journal, signed; while unlocked or granted.
  journal::Checkpoint sign_head(const journal::Head& head, Seconds at);
  // A new key for what the journal tells of an agent; in vault.enc with the next commit.
  void begin_subject(std::string_view agent);

  // A line of a backup's kSubjectsEntry, while a vault is restored.
  Status put_subject_line(std::string_view line);

  // The store against the mirror in memory: what unlock checked, now.
  Status verify_mirror();
  // One journal row of its own, without a change.
  Status note(journal::Kind kind, Json body);

 private:
  Session(std::string home, Fs& fs, const Clock& clock) : home_(std::move(home)), fs_(&fs), clock_(&clock) {}
  Status open_files();
  Status open_store();
  Status check_vault_file(ByteView file);
  Status seal_frozen(bool frozen);
  Status collect_narrowings(std::uint64_t mirrored);
  Status mirror();
  // A row, perhaps a checkpoint behind it, and the mirror of both: one commit.
  Status note_mirrored(journal::Kind kind, bool checkpoint);
  Result<std::optional<VaultMode>> mode_of_cut_off_rekey();
  Status end_cut_off_rekey(bool done);
  Status finish_rekey();
  Status put_restored(store::Transaction& tx, const SecretBytes& key, const Manifest& manifest,
                      const RecoveryKeys* recovery, const ReadBackup& read);
  // After everything was verified: what an older version or a cut-off change left to be done.
  Status bring_up_to_date();
  Result<Bytes> write_slot(const Keyring& keys, std::initializer_list<const SecretBytes*> vault_keys);
  Status put_slot_row(store::Transaction& tx, ByteView slot);
  Status heal_slot();
  Result<std::vector<SecretBytes>> open_slot_with(const SecretBytes& recovery_secret);
  Status fold(store::Transaction& tx, const store::Narrowing& narrowing);
  Status load_grants();
  Status seal_grant(const Grant& grant);
  Status adopt_sealed_grant(const VaultDocument& document);
  Status commit_granted(store::Transaction& tx);
  Status write_granted_head();
  Result<std::optional<journal::Head>> granted_head(const crypto::PublicKey& key);
  Status verify_granted(const Keyring& keys);
  bool keep_granted();
  Status end_granted();
  Status end_all_grants(store::Transaction& tx);
  bool any_sealed() const;
  void forget_keys();

  std::string home_;
  Fs* fs_;
  const Clock* clock_;
  std::optional<Error> damage_;
  std::optional<store::Store> store_;
  std::optional<Keyring> keys_;
  std::vector<store::Narrowing> pending_;
  std::vector<store::Narrowing> durable_;  // of them, those that this process has seen on the disk
  std::string file_digest_;  // of the vault.enc in place, hex; empty before there is one
  bool behind_ = false;      // a change of authority stands that the mirror does not have
  ledger::Book book_;
  Grants grants_;
  SecretBytes service_key_;
  SecretBytes vault_key_;
  SecretBytes view_key_;
  SecretBytes journal_key_;  // signs checkpoints and granted.head
  std::optional<crypto::PublicKey> signer_;
  std::function<void()> opened_;
  std::function<bool(const std::string&)> in_use_;
  Seconds unlocked_at_ = 0;
  Seconds expires_at_ = 0;
};

}  // namespace popvault
