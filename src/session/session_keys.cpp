// Session: other ways in. Changing the vault key, the recovery slot, and what is left to do after an unlock.
//
// A change of the vault key goes in three steps: state.db notes the mode to come and the SHA-256 of the vault.enc to
// come; that file is put in place; then .vault_mode, the journal and the slot follow. Cut off anywhere, the vault.enc
// in place tells which key opens, and the rest is brought in line at the next unlock.

#include <algorithm>
#include <cerrno>

#include "crypto/sign.hpp"
#include "session/authenticators.hpp"
#include "session/epochs.hpp"
#include "log/log.hpp"
#include "session/session.hpp"
#include "os/atomic_file.hpp"
#include "vault/recovery.hpp"
#include "vault/vault_key.hpp"

namespace popvault {
namespace {

// Of words that vault.enc is about to know.
std::string next_slot_path(const std::string& home) { return recovery_slot_path(home) + ".next"; }

crypto::PublicKey proof_key(const SecretBytes& vault_key) {
  return crypto::SigningKey::from_seed(owner_proof_seed(vault_key)).public_key();
}

}  // namespace

crypto::PublicKey Session::own_proof_key() const { return proof_key(vault_key_); }

std::string recovery_slot_path(const std::string& home) { return home + "/slots/recovery.slot"; }

Status Session::rekey(VaultMode mode, SecretBytes key) {
  PV_TRY(begin());  // the mirror is not behind
  Keyring next = keys_->clone();
  next.remove_owner_key(proof_key(vault_key_));
  next.add_owner_key(proof_key(key));
  next.set_mode(mode);
  // Until it is certain which key opens, the words open both.
  if (next.recovery_key()) PV_TRY(write_slot(next, {&vault_key_, &key}));
  PV_ASSIGN(const Bytes sealed, seal_vault(key, next.to_document()));
  const std::string digest = crypto::sha256(sealed).hex();
  {
    PV_ASSIGN(auto tx, store_->begin());
    PV_TRY(store_->set_meta("mode_next", to_string(mode)));
    PV_TRY(store_->set_meta("vault_sha256", file_digest_));
    PV_TRY(store_->set_meta("vault_sha256_next", digest));
    PV_TRY(tx.commit());
  }
  const Status placed = write_sealed_vault(*fs_, home_, key, sealed);
  const auto there = read_vault(*fs_, home_);
  if (!placed && !(there && crypto::sha256(*there).hex() == digest)) {
    (void)store_->unset_meta("mode_next");
    (void)heal_slot();
    return placed;
  }
  vault_key_ = std::move(key);
  keys_ = std::move(next);
  file_digest_ = digest;
  const Status finished = finish_rekey();
  if (finished) return {};
  return fail(finished.error().code, "it is done and the new key opens the vault, but: " + finished.error().detail);
}

Status Session::finish_rekey() {
  PV_TRY(write_vault_mode(*fs_, home_, keys_->mode()));
  Bytes slot;
  if (keys_->recovery_key()) {
    PV_ASSIGN(slot, write_slot(*keys_, {&vault_key_}));
  }
  PV_ASSIGN(auto tx, begin());
  if (!slot.empty()) PV_TRY(put_slot_row(tx, slot));
  PV_TRY(store_->set_meta("mode", to_string(keys_->mode())));
  PV_TRY(store_->unset_meta("mode_next"));
  Json body;
  body.set("mode", to_string(keys_->mode()));
  PV_TRY(tx.journal(journal::Kind::key_changed, std::move(body)));
  return commit(tx);
}

// Without a key nothing is written, and what state.db says of a change that was cut off is a hint only: which vault.enc
// is in place. The mode inside that file decides at the unlock.
Result<std::optional<VaultMode>> Session::mode_of_cut_off_rekey() {
  PV_ASSIGN(const auto next, store_->meta("mode_next"));
  const auto mode_next = next ? vault_mode_of(*next) : std::nullopt;
  if (!mode_next) return std::optional<VaultMode>{};
  PV_ASSIGN(const auto digest_next, store_->meta("vault_sha256_next"));
  const auto file = read_vault(*fs_, home_);
  const bool done = file && digest_next && crypto::sha256(*file).hex() == *digest_next;
  return done ? mode_next : std::optional<VaultMode>{};
}

// First thing after everything was verified, before a commit moves vault_sha256_next on.
Status Session::end_cut_off_rekey(bool done) {
  PV_ASSIGN(const auto next, store_->meta("mode_next"));
  if (!next) return {};
  if (done) return finish_rekey();
  PV_TRY(write_vault_mode(*fs_, home_, keys_->mode()));
  return store_->unset_meta("mode_next");
}

Status Session::bring_up_to_date() {
  PV_TRY(reconcile_epochs(*this));
  PV_TRY(reconcile_authenticators(*this));
  if (const Status healed = heal_slot(); !healed) log_warning("slots/recovery.slot: " + healed.error().message());
  if (const Status dropped = store_->drop_old_copy(); !dropped) log_warning(dropped.error().message());
  return {};
}

Result<Bytes> Session::write_slot(const Keyring& keys, std::initializer_list<const SecretBytes*> vault_keys) {
  PV_ASSIGN(Bytes slot, seal_slot(*keys.recovery_key(), keys.vault_id(), {vault_keys.begin(), vault_keys.size()}));
  PV_TRY(ensure_private_dir(*fs_, home_ + "/slots"));
  const bool known = keys_->recovery_key() && *keys_->recovery_key() == *keys.recovery_key();
  PV_TRY(write_atomic(*fs_, known ? recovery_slot_path(home_) : next_slot_path(home_), slot));
  return slot;
}

Status Session::put_slot_row(store::Transaction& tx, ByteView slot) {
  PV_ASSIGN(auto row, store_->get_with_deleted(store::Table::settings, kRecoveryRow));
  store::Row next = row ? *row : store::Row{std::string(kRecoveryRow), 0, {}};
  if (next.body["public_key"].text_or("") != keys_->recovery_key()->hex())
    next.body.set("created_at", clock_->now());
  next.body.set("public_key", keys_->recovery_key()->hex());
  next.body.set("slot_sha256", crypto::sha256(slot).hex());
  return tx.put(store::Table::settings, next);
}

// Whatever happened to the slot: it holds the key of today, sealed to the public key that is inside vault.enc.
Status Session::heal_slot() {
  FileStat st;
  const bool next_there = fs_->stat_path(next_slot_path(home_), st) != -ENOENT;
  if (!keys_->recovery_key()) return next_there ? remove_file(*fs_, next_slot_path(home_)) : Status{};
  PV_ASSIGN(const auto row, store_->get(store::Table::settings, kRecoveryRow));
  const auto slot = read_owned(*fs_, recovery_slot_path(home_), kMaxSlotFile);
  const bool new_words = !row || row->body["public_key"].text_or("") != keys_->recovery_key()->hex();
  if (!new_words && slot && row->body["slot_sha256"].text_or("") == crypto::sha256(*slot).hex()) {
    return next_there ? remove_file(*fs_, next_slot_path(home_)) : Status{};
  }
  PV_ASSIGN(const Bytes fresh, write_slot(*keys_, {&vault_key_}));
  PV_TRY(remove_file(*fs_, next_slot_path(home_)));
  PV_ASSIGN(auto tx, begin());
  PV_TRY(put_slot_row(tx, fresh));
  Json body;
  if (new_words) {
    body.set("public_key", keys_->recovery_key()->hex());
    PV_TRY(tx.journal(journal::Kind::recovery_created, std::move(body)));
  } else {
    body.set("reason", slot ? "not as written" : info(slot.error().code).word);
    PV_TRY(tx.journal(journal::Kind::recovery_resealed, std::move(body)));
  }
  return commit(tx);
}

// The keyring first, which alone holds the seed: cut off behind that, heal_slot writes the row at the next unlock. The other
// way round the journal would tell of words that the vault does not know.
Status Session::enroll_recovery(const crypto::X25519PublicKey& key, SecretBytes signing) {
  PV_TRY(begin());
  Keyring next = keys_->clone();
  next.set_recovery(key, signing.clone());
  PV_TRY(write_slot(next, {&vault_key_}));
  const auto taken_in = [&]() -> Status {
    PV_ASSIGN(auto tx, begin());
    return commit(tx, [&](Keyring& keys) { keys.set_recovery(key, std::move(signing)); });
  }();
  const bool stands = keys_->recovery_key() && *keys_->recovery_key() == key;
  // The slot of words that were not taken in would shut the old ones out.
  const Status healed = heal_slot();
  if (!stands || !taken_in) return taken_in;
  return healed ? healed : fail(healed.error().code, "it is done, but: " + healed.error().detail);
}

// The slot, and that of newer words when their enrolment was cut off: which of them counts is decided by the key inside
// vault.enc.
Result<std::vector<SecretBytes>> Session::open_slot_with(const SecretBytes& recovery_secret) {
  Status why = fail(Errc::recovery_missing);
  for (const std::string& path : {recovery_slot_path(home_), next_slot_path(home_)}) {
    const auto slot = read_owned(*fs_, path, kMaxSlotFile);
    auto keys = slot ? open_slot(recovery_secret, vault_id(), *slot)
                     : Result<std::vector<SecretBytes>>(tl::unexpected(slot.error()));
    if (keys) return keys;
    if (keys.error().code == Errc::vault_corrupt) keys = fail(Errc::slot_damaged);
    if (keys.error().code != Errc::not_found) why = tl::unexpected(keys.error());
  }
  PV_ASSIGN(const bool enrolled, store_->exists(store::Table::settings, kRecoveryRow));
  if (enrolled && why.error().code == Errc::recovery_missing) return fail(Errc::slot_damaged);
  return tl::unexpected(why.error());
}

Status Session::recover(const SecretBytes& recovery_secret, SecretBytes key, const std::function<void()>& lock_first) {
  if (!store_) return fail(Errc::vault_missing);
  PV_ASSIGN(const auto candidates, open_slot_with(recovery_secret));
  if (keys_) lock_first();
  Status opened = fail(Errc::slot_damaged, "it holds an older vault key");
  for (const SecretBytes& candidate : candidates) {
    opened = unlock(candidate.clone());
    if (opened || opened.error().code != Errc::wrong_key) break;
  }
  if (!opened && opened.error().code == Errc::wrong_key) opened = fail(Errc::slot_damaged, "the vault key in it does not open vault.enc");
  PV_TRY(opened);
  // The key inside vault.enc decides: words that were replaced open nothing, whatever slot file was put back.
  if (!keys_->recovery_key() || !(*keys_->recovery_key() == crypto::x25519_public(recovery_secret))) {
    lock();
    return fail(Errc::words_wrong);
  }
  const auto recovered = [&]() -> Status {
    PV_ASSIGN(auto tx, begin());
    PV_TRY(tx.journal(journal::Kind::recovery_used, {}));
    PV_TRY(commit(tx));
    return rekey(VaultMode::passphrase, std::move(key));
  }();
  if (!recovered) lock();
  return recovered;
}

}  // namespace popvault
