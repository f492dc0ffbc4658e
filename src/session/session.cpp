#include "session/session.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "crypto/compiled_salt.hpp"
#include "crypto/sign.hpp"
#include "session/checkpoints.hpp"
#include "session/epochs.hpp"
#include "session/personal.hpp"
#include "session/purchase_ends.hpp"
#include "log/log.hpp"
#include "os/atomic_file.hpp"
#include "vault/vault_key.hpp"

namespace popvault {
namespace {

constexpr Seconds kUnlockFor = 24 * 3600;  // the longest session
constexpr std::string_view kFrozenRow = "frozen";

store::Row setting(std::string_view id, Json value) {
  Json body;
  body.set("value", std::move(value));
  return {std::string(id), 0, std::move(body)};
}

bool exists(Fs& fs, const std::string& path) {
  FileStat st;
  return fs.stat_path(path, st) != -ENOENT;
}

Status check_own_file(Fs& fs, const std::string& path) {
  FileStat st;
  if (fs.stat_path(path, st) == -ENOENT) return {};
  if (st.type != FileType::regular || st.owner != geteuid() || (st.mode & 077) != 0)
    return fail(Errc::insecure_file, std::string(last_component(path)));
  return {};
}

}  // namespace

std::string_view to_string(State state) noexcept {
  switch (state) {
    case State::uninitialised: return "uninitialised";
    case State::locked: return "locked";
    case State::unlocked: return "unlocked";
    case State::damaged: return "damaged";
    case State::granted: return "granted";
  }
  return "locked";
}

Result<std::unique_ptr<Session>> Session::open(const std::string& home, Fs& fs, const Clock& clock) {
  PV_TRY(ensure_private_dir(fs, home));
  PV_TRY(wipe_vault_temporaries(fs, home));
  std::unique_ptr<Session> out(new Session(home, fs, clock));
  const Status opened = out->open_files();
  if (opened) return out;
  const Errc code = opened.error().code;
  if (code == Errc::io_error || code == Errc::disk_full || code == Errc::daemon_running)
    return tl::unexpected(opened.error());
  out->store_.reset();
  out->damage_ = opened.error();
  return out;
}

Status Session::open_files() {
  for (const char* folder : {"/blobs", "/slots"})
    if (exists(*fs_, home_ + folder)) PV_TRY(ensure_private_dir(*fs_, home_ + folder));
  for (const char* file : {"/vault.enc", "/.vault_mode"}) PV_TRY(check_own_file(*fs_, home_ + file));
  if (exists(*fs_, home_ + "/state.db")) return open_store();
  if (exists(*fs_, vault_path(home_))) return fail(Errc::state_corrupt, "state.db is gone");
  return {};
}

Status Session::open_store() {
  const std::string path = home_ + "/state.db";
  for (const char* suffix : {"", "-wal", "-journal"}) PV_TRY(check_own_file(*fs_, path + suffix));
  PV_ASSIGN(store_, store::Store::open(path, *clock_, !exists(*fs_, vault_path(home_))));
  // A first init that was cut off before vault.enc was in place: nobody's data is in it.
  PV_ASSIGN(const auto finished, store_->meta("vault_sha256"));
  PV_ASSIGN(const auto begun, store_->meta("vault_sha256_next"));
  PV_ASSIGN(pending_, store_->narrowings());
  if (finished) return {};
  if (exists(*fs_, vault_path(home_))) return begun ? Status{} : fail(Errc::state_corrupt, "state.db is empty");
  store_.reset();
  for (const char* suffix : {"", "-wal", "-journal", "-shm"}) PV_TRY(remove_file(*fs_, path + suffix));
  return {};
}

State Session::state() const noexcept {
  if (damage_) return State::damaged;
  if (!store_) return State::uninitialised;
  if (keys_) return State::unlocked;
  return store_->unsealed() && !grants_.empty() ? State::granted : State::locked;
}

Result<VaultMode> Session::mode() {
  if (!store_) return fail(Errc::vault_missing);
  PV_ASSIGN(const auto known, store_->meta("mode"));
  const auto marker = read_vault_mode(*fs_, home_);
  const auto hardened = to_string(VaultMode::machine_hardened);
  const bool made_hardened = (known && *known == hardened) || (marker && marker->mode == VaultMode::machine_hardened);
  if (made_hardened && !crypto::hardened_build()) return fail(Errc::downgrade_refused);
  if (!marker) return tl::unexpected(marker.error());
  PV_ASSIGN(const auto next, mode_of_cut_off_rekey());
  if (next) return *next;
  PV_ASSIGN(const auto pending, store_->meta("mode_next"));
  const auto before = known ? vault_mode_of(*known) : std::nullopt;
  if (pending && before) return *before;
  if (known && *known != to_string(marker->mode)) return fail(Errc::vault_mode_mismatch);
  return marker->mode;
}

std::optional<std::string> Session::shown_mode() {
  const auto known = store_->meta("mode");
  const auto pending = store_->meta("mode_next");
  if (pending && *pending)
    if (const auto now = mode()) return std::string(to_string(*now));
  return known ? *known : std::nullopt;
}

std::string Session::vault_id() {
  if (keys_) return keys_->vault_id();
  if (!store_) return {};
  const auto id = store_->meta("vault_id");
  return id && *id ? **id : std::string{};
}

Status Session::init(VaultMode mode, const SecretBytes& key) {
  if (store_ || exists(*fs_, vault_path(home_))) return fail(Errc::vault_exists);
  PV_ASSIGN(store_, store::Store::open(home_ + "/state.db", *clock_));
  const auto made = [&]() -> Status {
    Keyring keys = Keyring::create(mode);
    keys.add_owner_key(crypto::SigningKey::from_seed(owner_proof_seed(key)).public_key());
    store_->unseal(keys.subkey("row"));
    PV_ASSIGN(auto tx, store_->begin());
    PV_TRY(tx.put(store::Table::settings, setting(kFrozenRow, false)));
    PV_TRY(tx.put(store::Table::epochs, new_epoch(1, clock_->now())));
    Json body;
    body.set("mode", std::string(to_string(mode)));
    body.set("vault", keys.vault_id());
    PV_TRY(tx.journal(journal::Kind::vault_created, std::move(body)));
    PV_TRY(store_->set_meta("mode", to_string(mode)));
    PV_TRY(store_->set_meta("vault_id", keys.vault_id()));
    PV_TRY(write_vault_mode(*fs_, home_, mode));
    keys_ = std::move(keys);
    journal_key_ = keys_->subkey("journal");
    signer_ = crypto::SigningKey::from_seed(journal_key_).public_key();
    vault_key_ = key.clone();
    return commit(tx);
  }();
  // Nothing more is written with keys that state.db does not know.
  if (!made && !exists(*fs_, vault_path(home_))) keys_.reset();
  lock();
  if (made) return {};
  // Without vault_sha256 the next open would drop this state.db as well.
  if (!exists(*fs_, vault_path(home_))) {
    store_.reset();
    (void)open_store();
  }
  return made;
}

Status Session::unlock(SecretBytes key) {
  if (!store_) return fail(Errc::vault_missing);
  PV_ASSIGN(const VaultMode wanted, mode());
  PV_ASSIGN(const auto rekeyed, mode_of_cut_off_rekey());
  auto file = read_vault(*fs_, home_);
  if (!file && file.error().code == Errc::vault_missing) return fail(Errc::vault_corrupt, "vault.enc is gone");
  if (!file) return tl::unexpected(file.error());
  const Status known = check_vault_file(*file);
  auto document = open_vault(key, *file);
  if (!document && document.error().code == Errc::wrong_key)
    return fail(Errc::wrong_key, known ? "vault.enc is as popvault wrote it, so it is the passphrase, machine or user"
                                       : "vault.enc is not as popvault wrote it");
  if (!document) return tl::unexpected(document.error());
  PV_TRY(known);
  PV_ASSIGN(Keyring keys, Keyring::from_document(*document));
  if (keys.mode() != wanted) return fail(Errc::vault_mode_mismatch);
  PV_ASSIGN(const auto id, store_->meta("vault_id"));
  if (!id || *id != keys.vault_id()) return fail(Errc::state_corrupt, "state.db belongs to another vault");
  store_->unseal(keys.subkey("row"));
  Status verified = verify_granted(keys);
  if (verified) verified = check_narrowed_mark();
  if (!verified) {
    grants_.clear();
    forget_keys();
    return verified;
  }
  const std::uint64_t mirrored = keys.journal().sequence;
  file_digest_ = crypto::sha256(*file).hex();
  view_key_ = keys.subkey("view");
  vault_key_ = std::move(key);
  keys_ = std::move(keys);
  journal_key_ = keys_->subkey("journal");
  signer_ = crypto::SigningKey::from_seed(journal_key_).public_key();
  // What was written without a key, or a day ago, is covered now.
  const store::Checkpointed last = store_->last_checkpoint();
  const bool uncovered = store_->head().seq > last.seq || clock_->now() - last.at >= kCheckpointTime;
  behind_ = true;  // what stands beyond the mirror may be a change of authority
  if (opened_) opened_();
  unlocked_at_ = clock_->now();
  Status ready = keep_time();
  if (ready) ready = book_.load(*store_);
  if (ready) ready = end_cut_off_rekey(rekeyed.has_value());
  if (ready) ready = collect_narrowings(mirrored);
  if (ready) ready = fold_narrowings();
  if (ready) ready = settle_interrupted(*this, [this](const store::Row& row) { return !in_use_ || !in_use_(row.id); }, [](const store::Row&) {});
  if (ready) ready = expire_overdue(*this, [](const store::Row&) {});
  if (ready) ready = bring_up_to_date();
  if (ready) ready = begin_subjects(*this);
  if (ready) ready = note_mirrored(journal::Kind::unlocked, uncovered);
  if (ready) ready = load_grants();
  if (ready) ready = end_granted();
  if (!ready) lock();
  return ready;
}

Status Session::check_vault_file(ByteView file) {
  const std::string digest = crypto::sha256(file).hex();
  for (const char* name : {"vault_sha256", "vault_sha256_next"}) {
    PV_ASSIGN(const auto known, store_->meta(name));
    if (known && *known == digest) return {};
  }
  return fail(Errc::state_rolled_back, "vault.enc is not the one that state.db knows");
}

void Session::lock() {
  bool stays = false;
  if (keys_ && store_) {
    (void)note_mirrored(journal::Kind::locked, true);
    stays = keep_granted();
    if (!stays) (void)mirror();  // the rows are kept without it too
  } else if (state() == State::granted) {
    return;
  }
  keys_.reset();
  vault_key_.reset();
  expires_at_ = 0;
  if (!stays) forget_keys();
}

void Session::forget_keys() {
  keys_.reset();
  vault_key_.reset();
  view_key_.reset();
  journal_key_.reset();
  grants_.clear();
  book_.clear();
  expires_at_ = 0;
  if (store_) store_->seal();
}

// What was done under grants is mirrored in vault.enc now, and granted.head stays for sealed ones only.
Status Session::end_granted() {
  if (!keys_->granted() && !any_sealed()) return mirror();
  PV_ASSIGN(auto tx, store_->begin());
  PV_TRY(commit(tx));
  return any_sealed() ? Status{} : remove_file(*fs_, home_ + "/granted.head");
}

// The session ends after the setting lock.after, counted from the unlock; never later than 24 hours.
Status Session::keep_time() {
  PV_ASSIGN(const auto after, store_->get(store::Table::settings, "lock.after"));
  const Seconds longest = after ? after->body["value"].int_or(kUnlockFor) : kUnlockFor;
  expires_at_ = unlocked_at_ + std::clamp<Seconds>(longest, 60, kUnlockFor);
  return {};
}

bool Session::frozen() {
  if (!store_) return false;
  if (narrowed("freeze", "")) return true;
  if (!store_->unsealed()) {
    // Unverified, for display: nothing can be used while locked anyway.
    const auto flag = store_->meta("frozen");
    const auto row = store_->unverified_setting(kFrozenRow);
    return !flag || (*flag && **flag == "1") || !row || !*row || (**row)["value"].bool_or(true);
  }
  const auto row = store_->get(store::Table::settings, kFrozenRow);
  if (!row || !*row) return true;
  return (keys_ && keys_->frozen()) || (*row)->body["value"].bool_or(true);
}

Status Session::set_frozen(bool frozen) {
  if (!store_) return fail(Errc::vault_missing);
  if (!keys_) return frozen ? narrow("freeze", "") : fail(Errc::locked);
  if (!frozen) PV_TRY(fold_narrowings());
  const Status sealed = seal_frozen(frozen);
  return sealed || !frozen ? sealed : narrow("freeze", "");
}

// Nothing that a freeze stopped comes back by itself.
Status Session::end_all_grants(store::Transaction& tx) {
  PV_ASSIGN(auto rows, store_->all(store::Table::grants));
  for (store::Row& row : rows) {
    if (row.body["status"].text_or("") != "active") continue;
    row.body.set("status", "revoked");
    PV_TRY(tx.put(store::Table::grants, row));
  }
  drop_grants();
  return {};
}

Status Session::seal_frozen(bool frozen) {
  // Freezing counts before anything is written, thawing after.
  if (frozen) keys_->set_frozen(true);
  PV_ASSIGN(auto row, store_->get(store::Table::settings, kFrozenRow));
  PV_ASSIGN(auto tx, begin());
  store::Row next = row ? *row : setting(kFrozenRow, frozen);
  next.body.set("value", frozen);
  PV_TRY(tx.put(store::Table::settings, next));
  if (!frozen) PV_TRY(end_all_grants(tx));
  PV_TRY(tx.journal(frozen ? journal::Kind::frozen : journal::Kind::unfrozen, {}));
  const bool before = keys_->frozen();
  keys_->set_frozen(frozen);
  PV_TRY(store_->set_meta("frozen", frozen ? "1" : "0"));
  const Status committed = commit(tx);
  if (!committed) keys_->set_frozen(before);
  return committed;
}

Result<store::Transaction> Session::begin() {
  if (state() == State::granted) {
    if (behind_) PV_TRY(write_granted_head());
    behind_ = false;
    return store_->begin();
  }
  if (!keys_) return fail(Errc::locked);
  if (behind_) PV_TRY(mirror());
  return store_->begin();
}

Result<store::Transaction> Session::begin_unmirrored() {
  if (!store_->unsealed()) return fail(Errc::locked);
  return store_->begin();
}

// One transaction carries the rows, the journal and the digests of both vault files, the one in place and the
// next one; then the next one is put in place. Whatever is cut off, state.db knows the file that is there.
Status Session::commit(store::Transaction& transaction, const std::function<void(Keyring&)>& change) {
  if (!keys_) return commit_granted(transaction);
  Keyring next = keys_->clone();
  next.set_granted(any_sealed());
  if (change) change(next);
  const JournalMirror before = keys_->journal();
  next.set_journal({transaction.head().seq, transaction.head().hash});
  PV_ASSIGN(const Bytes sealed, seal_vault(vault_key_, next.to_document()));
  const std::string digest = crypto::sha256(sealed).hex();
  if (!file_digest_.empty()) PV_TRY(store_->set_meta("vault_sha256", file_digest_));
  PV_TRY(store_->set_meta("vault_sha256_next", digest));
  PV_TRY(transaction.commit());
  keys_ = std::move(next);
  // The head for sealed grants first: vault.enc must never say that one is there which is not.
  Status placed = any_sealed() ? write_granted_head() : Status{};
  if (placed) placed = write_sealed_vault(*fs_, home_, vault_key_, sealed);
  if (placed) {
    file_digest_ = digest;
    behind_ = false;
    return {};
  }
  keys_->set_journal(before);
  behind_ = true;  // so that the next begin() mirrors first
  return fail(placed.error().code, "it is done, but vault.enc is behind: " + placed.error().detail);
}

// A sealed grant must find its head after a restart that nobody locked for.
bool Session::any_sealed() const {
  bool any = false;
  grants_.each([&](const Grant& grant) { any = any || grant.sealed; });
  return any;
}

Status Session::verify_mirror() {
  if (!keys_) return fail(Errc::locked);
  return store_->verify_against({keys_->journal().sequence, keys_->journal().hash}, journal_signer(*this));
}

void Session::begin_subject(std::string_view agent) {
  if (!keys_->begin_subject(agent, personal_period(clock_->now()))) log_warning("there are too many agents: what is personal of another is not kept");
}

journal::Checkpoint Session::sign_head(const journal::Head& head, Seconds at) {
  if (keys_ && journal_key_.empty()) journal_key_ = keys_->subkey("journal");
  return journal::sign_checkpoint(journal_key_, vault_id(), head, at);
}

Status Session::note_mirrored(journal::Kind kind, bool checkpoint) {
  PV_ASSIGN(auto tx, store_->begin());
  PV_TRY(tx.journal(kind, {}));
  if (checkpoint) PV_TRY(append_checkpoint(*this, tx));
  return commit(tx);
}

Status Session::note(journal::Kind kind, Json body) {
  PV_ASSIGN(auto tx, store_->begin());
  PV_TRY(tx.journal(kind, std::move(body)));
  return tx.commit();
}

Status Session::mirror() {
  const journal::Head head = store_->head();
  if (keys_->journal().sequence == head.seq && keys_->journal().hash == head.hash) {
    behind_ = false;
    return {};
  }
  PV_ASSIGN(auto tx, store_->begin());
  return commit(tx);
}

// The journal's own rows count as well as the table: taking one out of the table alone undoes nothing. A thaw that was cut
// off before vault.enc stands too: frozen() asks the sealed row.
Status Session::collect_narrowings(std::uint64_t mirrored) {
  PV_ASSIGN(pending_, store_->narrowings());
  PV_ASSIGN(const auto rows, store_->journal_after(mirrored, INT64_MAX));
  for (const journal::Row& row : rows) {
    if (row.kind == journal::Kind::unfrozen) keys_->set_frozen(false);
    if (row.kind != journal::Kind::narrowed_locked) continue;
    PV_ASSIGN(const Json body, Json::parse(row.body));
    pending_.push_back({body["what"].text_or(""), body["id"].text_or("")});
  }
  const auto key = [](const store::Narrowing& n) { return std::pair(n.what, n.id); };
  std::sort(pending_.begin(), pending_.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  pending_.erase(std::unique(pending_.begin(), pending_.end(), [&](const auto& a, const auto& b) { return key(a) == key(b); }),
                 pending_.end());
  return {};
}

Status Session::fold_narrowings() {
  if (pending_.empty() || !keys_) return {};
  // A journal row stays of a size that every reader takes.
  constexpr std::size_t kAtOnce = 100;
  while (!pending_.empty()) {
    const std::size_t count = std::min(pending_.size(), kAtOnce);
    PV_ASSIGN(auto tx, begin());
    for (std::size_t i = 0; i < count; ++i) PV_TRY(fold(tx, pending_[i]));
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(count);
    Json body;
    body.set("count", static_cast<std::int64_t>(count));
    body.set("revoked", std::any_of(pending_.begin(), end, [](const auto& n) { return n.what == "revoke"; }));
    if (count == pending_.size()) PV_TRY(tx.clear_narrowings());
    PV_TRY(tx.journal(journal::Kind::narrowings_applied, std::move(body)));
    PV_TRY(commit(tx));
    pending_.erase(pending_.begin(), end);
  }
  durable_.clear();
  return remove_file(*fs_, home_ + "/.narrowed");
}

Status Session::narrow(std::string_view what, std::string_view id) {
  const auto same = [&](const store::Narrowing& n) { return n.what == what && n.id == id; };
  if (std::any_of(durable_.begin(), durable_.end(), same)) return {};
  if (!narrowed(what, id)) pending_.push_back({std::string(what), std::string(id)});
  PV_ASSIGN(auto tx, store_->begin());
  PV_TRY(tx.narrow(what, id));
  Json body;
  body.set("id", id);
  body.set("what", what);
  PV_TRY(tx.journal(journal::Kind::narrowed_locked, std::move(body)));
  PV_TRY(tx.commit());
  // Beside state.db, so that an older copy of state.db alone does not undo it.
  const journal::Head head = store_->head();
  PV_TRY(write_atomic(*fs_, home_ + "/.narrowed", as_bytes(std::to_string(head.seq) + " " + head.hash.hex() + "\n")));
  durable_.push_back({std::string(what), std::string(id)});
  return {};
}

bool Session::narrowed(std::string_view what, std::string_view id) const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [&](const store::Narrowing& n) { return n.what == what && n.id == id; });
}

// The row that .narrowed names must be in the chain.
Status Session::check_narrowed_mark() {
  const auto mark = read_owned(*fs_, home_ + "/.narrowed", 256);
  if (!mark) return mark.error().code == Errc::not_found ? Status{} : Status(tl::unexpected(mark.error()));
  const std::string text(as_text(*mark));
  const std::uint64_t seq = std::strtoull(text.c_str(), nullptr, 10);
  if (seq == 0) return fail(Errc::state_corrupt, ".narrowed");
  PV_ASSIGN(const auto rows, store_->journal_after(seq - 1, 1));
  const bool there = !rows.empty() && text == std::to_string(seq) + " " + rows[0].hash.hex() + "\n";
  return there ? Status{} : fail(Errc::state_rolled_back, "what was denied, revoked or frozen while locked is gone from state.db");
}

Status Session::fold(store::Transaction& tx, const store::Narrowing& narrowing) {
  if (narrowing.what == "freeze") {
    PV_ASSIGN(auto row, store_->get(store::Table::settings, kFrozenRow));
    store::Row next = row ? *row : setting(kFrozenRow, true);
    next.body.set("value", true);
    keys_->set_frozen(true);
    return tx.put(store::Table::settings, next);
  }
  if (narrowing.what == "revoke" || narrowing.what == "suspend") {
    PV_ASSIGN(auto row, store_->get(store::Table::agents, narrowing.id));
    if (!row || row->body["status"].text_or("") == "revoked") return {};
    row->body.set("status", narrowing.what == "revoke" ? "revoked" : "suspended");
    return tx.put(store::Table::agents, *row);
  }
  if (narrowing.what == "grant") {
    PV_ASSIGN(auto row, store_->get(store::Table::grants, narrowing.id));
    if (!row) return {};
    row->body.set("status", "revoked");
    return tx.put(store::Table::grants, *row);
  }
  PV_ASSIGN(auto row, store_->get(store::Table::purchases, narrowing.id));
  if (!row) return {};
  return book_.give_up(tx, *row, narrowing.what == "deny" ? "denied" : "canceled");
}

}  // namespace popvault
