// Session: a vault out of a backup.
//
// Like init, all rows are one transaction and vault.enc comes last, so a restore that is cut off leaves an empty home
// (and blobs that nothing points to, which the next unlock of a vault there removes).

#include <unistd.h>

#include "backup/backup.hpp"
#include "crypto/sign.hpp"
#include "journal/export.hpp"
#include "session/epochs.hpp"
#include "session/personal.hpp"
#include "session/records.hpp"
#include "session/session.hpp"
#include "vault/blob.hpp"
#include "vault/secret_hex.hpp"
#include "vault/vault_key.hpp"

namespace popvault {
namespace {

constexpr std::size_t kRowsPerJournalRow = 100;

class JournalImport final : public BackupVisitor {
 public:
  explicit JournalImport(store::Transaction& tx) : tx_(&tx) {}
  Status record(const RecordInfo&, SecretFields) override { return {}; }
  Status text_line(std::string_view name, std::string_view line) override {
    if (name != kJournalEntry) return {};
    const auto row = journal::row_of_line(line);
    return row ? tx_->import_journal(*row) : Status(fail(Errc::backup_invalid, "a journal row"));
  }

 private:
  store::Transaction* tx_;
};

struct Written {
  BlobPlace place;
  std::string blob;
};

class RowImport final : public BackupVisitor {
 public:
  RowImport(Session& session, store::Transaction& tx) : session_(&session), tx_(&tx) {}

  Status record(const RecordInfo& info, SecretFields fields) override {
    store::Row row{info.id, 0, {}};
    row.body.set("alias", info.alias);
    row.body.set("created_at", info.created_at);
    row.body.set("kind", info.kind);
    if (info.trashed_at) row.body.set("trashed_at", *info.trashed_at);
    PV_ASSIGN(const SealedRecord sealed, seal_into_row(*session_, row, info.label, fields));
    written_.push_back({sealed.place, sealed.blob});
    return put(store::Table::records, row);
  }

  Status text_line(std::string_view name, std::string_view line) override {
    for (const store::Table table : {store::Table::agents, store::Table::policies, store::Table::settings,
                                     store::Table::purchases, store::Table::ledger})
      if (name == "rows/" + std::string(to_string(table)) + ".jsonl") return row_line(table, line);
    return name == kSubjectsEntry ? session_->put_subject_line(line) : Status{};
  }

  // The journal row of what was put since the last one.
  Status flush() {
    if (std::exchange(put_, 0) == 0) return {};
    return tx_->journal(journal::Kind::rows_restored, {});
  }
  const std::vector<Written>& written() const noexcept { return written_; }

 private:
  Status row_line(store::Table table, std::string_view line) {
    PV_ASSIGN(const Json json, Json::parse(line, {kMaxBackupLine, 16}));
    store::Row row{json["id"].text_or(""), 0, json["body"]};
    if (row.id.empty() || row.body.object() == nullptr) return fail(Errc::backup_invalid, "a row");
    // An agent's key may be in other hands by now: it is enrolled again by its owner, not by a file.
    if (table == store::Table::agents) {
      row.body.set("key_sha256", "");
      row.body.set("status", "revoked");
    }
    return put(table, row);
  }

  Status put(store::Table table, const store::Row& row) {
    PV_TRY(tx_->put(table, row));
    return ++put_ == kRowsPerJournalRow ? flush() : Status{};
  }

  Session* session_;
  store::Transaction* tx_;
  std::vector<Written> written_;
  std::size_t put_ = 0;
};

Status same_backup(const Result<Manifest>& read, const Manifest& manifest) {
  if (!read) return tl::unexpected(read.error());
  return *read == manifest ? Status{} : fail(Errc::backup_invalid, "it changed while it was read");
}

}  // namespace

// {"id":"agt_...","key":"72 hex digits"}, in secret memory.
Status Session::put_subject_line(std::string_view line) {
  constexpr std::string_view kBegin = "{\"id\":\"", kMiddle = "\",\"key\":\"", kEnd = "\"}";
  constexpr std::size_t kKey = 36;
  const std::size_t middle = line.find(kMiddle);
  const auto bad = [] { return fail(Errc::backup_invalid, "the keys of an agent's journal rows"); };
  if (!line.starts_with(kBegin) || middle == line.npos || !line.ends_with(kEnd)) return bad();
  const std::string_view agent = line.substr(kBegin.size(), middle - kBegin.size());
  const std::string_view rest = line.substr(middle + kMiddle.size());
  const auto key = secret_from_hex(SecretBytes::copy_of(as_bytes(rest.substr(0, rest.size() - kEnd.size()))), kKey);
  return key && keys_->put_subject(agent, *key) ? Status{} : Status(bad());
}

Status Session::restore(const SecretBytes& key, const Manifest& manifest, const RecoveryKeys* recovery,
                        const ReadBackup& read) {
  if (state() != State::uninitialised) return fail(Errc::vault_exists);
  PV_ASSIGN(store_, store::Store::open(home_ + "/state.db", *clock_));
  keys_ = Keyring::create(VaultMode::passphrase, manifest.vault);
  keys_->add_owner_key(crypto::SigningKey::from_seed(owner_proof_seed(key)).public_key());
  journal_key_ = keys_->subkey("journal");
  signer_ = crypto::SigningKey::from_seed(journal_key_).public_key();
  vault_key_ = key.clone();
  view_key_ = keys_->subkey("view");
  store_->unseal(keys_->subkey("row"));
  const auto made = [&]() -> Status {
    PV_ASSIGN(auto tx, store_->begin());
    return put_restored(tx, key, manifest, recovery, read);
  }();
  // Nothing more is written with keys that state.db does not know.
  FileStat st;
  if (!made && fs_->stat_path(vault_path(home_), st) < 0) keys_.reset();
  lock();
  if (made) return {};
  store_.reset();
  (void)open_files();
  return made;
}

Status Session::put_restored(store::Transaction& tx, const SecretBytes& key, const Manifest& manifest,
                             const RecoveryKeys* recovery, const ReadBackup& read) {
  JournalImport old_journal(tx);
  PV_TRY(same_backup(read(old_journal), manifest));
  if (tx.head().seq != static_cast<std::uint64_t>(manifest.journal_seq) || !(tx.head().hash == manifest.journal_hash))
    return fail(Errc::backup_invalid, "its journal is not the one it names");
  Json body;
  body.set("counter", manifest.counter);
  body.set("created_at", rfc3339(manifest.created_at));
  body.set("records", manifest.records);
  PV_TRY(tx.journal(journal::Kind::vault_restored, std::move(body)));

  RowImport rows(*this, tx);
  const auto done = [&]() -> Status {
    PV_TRY(same_backup(read(rows), manifest));
    PV_TRY(rows.flush());
    PV_TRY(tx.put(store::Table::epochs, new_epoch(1, clock_->now())));
    if (recovery != nullptr) {
      keys_->set_recovery(crypto::x25519_public(recovery->x25519), recovery->signing.clone());
      PV_ASSIGN(const Bytes slot, write_slot(*keys_, {&key}));
      PV_TRY(put_slot_row(tx, slot));
    }
    PV_TRY(tx.journal(journal::Kind::rows_restored, {}));
    PV_TRY(store_->set_meta("mode", to_string(VaultMode::passphrase)));
    PV_TRY(store_->set_meta("vault_id", manifest.vault));
    PV_TRY(write_vault_mode(*fs_, home_, VaultMode::passphrase));
    return commit(tx);
  }();
  FileStat st;
  if (!done && fs_->stat_path(vault_path(home_), st) < 0)
    for (const Written& one : rows.written())
      (void)remove_blob(*fs_, home_, one.place.kind, one.place.epoch, one.blob);
  return done;
}

}  // namespace popvault
