// Session: execution grants. What is left when the vault is locked while one lives, and how it comes back.

#include <algorithm>

#include "crypto/kdf.hpp"
#include "crypto/random.hpp"
#include "crypto/sign.hpp"
#include "journal/checkpoint.hpp"
#include "log/log.hpp"
#include "os/atomic_file.hpp"
#include "session/records.hpp"
#include "session/session.hpp"
#include "vault/secret_hex.hpp"

namespace popvault {
namespace {

constexpr std::size_t kKeySize = 32;
constexpr std::size_t kMostHeadFile = 4096;
constexpr std::size_t kMostGrantFile = 64 * 1024;
constexpr std::size_t kLeastCredential = 32;
constexpr std::size_t kMostCredential = 1024;
constexpr std::string_view kRecordMember = "record.";

std::string head_path(const std::string& home) { return home + "/granted.head"; }
std::string grants_dir(const std::string& home) { return home + "/grants"; }
std::string grant_path(const std::string& home, std::string_view id) { return grants_dir(home) + "/" + std::string(id) + ".grant"; }

Json ids_of(const Grant& grant) {
  Json::Array out;
  for (const auto& entry : grant.records) out.push_back(entry.first);
  return Json(std::move(out));
}

// The grant that a row tells of, without its keys.
Grant grant_of(const store::Row& row) {
  Grant out;
  out.id = row.id;
  out.agent = row.body["agent"].text_or("");
  out.created_at = row.body["created_at"].int_or(0);
  out.expires_at = row.body["expires_at"].int_or(0);
  out.sealed = row.body["sealed"].bool_or(false);
  return out;
}

bool lives(const store::Row& row, Seconds now) {
  return row.body["status"].text_or("") == "active" && now < row.body["expires_at"].int_or(0);
}

}  // namespace

bool Session::covers(std::string_view agent, std::string_view record) const {
  return keys_ || grants_.key(agent, record, clock_->now()) != nullptr;
}

Result<SecretBytes> Session::record_key(const store::Row& record, std::string_view agent) const {
  const BlobPlace place = place_of(record);
  if (keys_) return keys_->record_key(place.epoch, place.record);
  const SecretBytes* const key = grants_.key(agent, record.id, clock_->now());
  if (key == nullptr) return fail(Errc::locked);
  return key->clone();
}

Result<Grant> Session::create_grant(const std::string& agent, const std::vector<std::string>& records, Seconds ttl, bool sealed) {
  if (!keys_) return fail(Errc::locked);
  if (grants_.size() >= kMostGrants) return fail(Errc::invalid_params, "too many grants live; revoke one");
  if (sealed && service_key_.empty()) return fail(Errc::credential_missing);
  Grant grant;
  grant.id = "grt_" + crypto::random_token(26);
  grant.agent = agent;
  grant.created_at = clock_->now();
  grant.expires_at = grant.created_at + ttl;
  grant.sealed = sealed;
  for (const std::string& id : records) {
    PV_ASSIGN(const store::Row record, find_record(*this, id));
    PV_ASSIGN(SecretBytes key, record_key(record, agent));
    grant.records.insert_or_assign(record.id, std::move(key));
  }
  // The file first: without its row it opens nothing, and a grant that was refused must not come to life.
  if (sealed) PV_TRY(seal_grant(grant));
  store::Row row{grant.id, 0, {}};
  row.body.set("agent", agent);
  row.body.set("created_at", grant.created_at);
  row.body.set("expires_at", grant.expires_at);
  row.body.set("records", ids_of(grant));
  row.body.set("sealed", sealed);
  row.body.set("status", "active");
  Grant out = grant_of(row);
  for (const auto& entry : grant.records) out.records.emplace(entry.first, SecretBytes());
  const std::uint64_t before = store_->head().seq;
  grants_.add(std::move(grant));
  const auto stored = [&]() -> Status {
    PV_ASSIGN(auto tx, begin());
    PV_TRY(tx.put(store::Table::grants, row));
    Json body;
    body.set("agent", agent);
    body.set("expires_at", out.expires_at);
    body.set("grant", out.id);
    body.set("records", row.body["records"]);
    body.set("sealed", sealed);
    PV_TRY(tx.journal(journal::Kind::grant_created, std::move(body)));
    return commit(tx);
  }();
  if (stored) return out;
  // What stands although the mirror is behind is taken back; what does not stand leaves nothing.
  if (store_->head().seq != before) (void)revoke_grant(out.id);
  grants_.remove(out.id);
  (void)remove_file(*fs_, grant_path(home_, out.id));
  return tl::unexpected(stored.error());
}

Status Session::revoke_grant(const std::string& id) {
  PV_ASSIGN(const bool known, store_->exists(store::Table::grants, id));
  if (!known) return fail(Errc::not_found, "grant");
  // It counts from here on, whatever the disk says.
  grants_.remove(id);
  const Status removed = remove_file(*fs_, grant_path(home_, id));
  const auto sealed = [&]() -> Status {
    if (!keys_) return fail(Errc::locked);
    PV_ASSIGN(auto row, store_->get(store::Table::grants, id));
    if (!row || row->body["status"].text_or("") != "active") return {};
    row->body.set("status", "revoked");
    PV_ASSIGN(auto tx, begin());
    PV_TRY(tx.put(store::Table::grants, *row));
    Json body;
    body.set("agent", row->body["agent"]);
    body.set("grant", id);
    PV_TRY(tx.journal(journal::Kind::grant_revoked, std::move(body)));
    return commit(tx);
  }();
  const Status done = sealed ? sealed : narrow("grant", id);
  if (!keys_ && grants_.empty()) forget_keys();
  return done ? removed : done;
}

void Session::drop_grants() {
  grants_.each([&](const Grant& grant) {
    if (grant.sealed) (void)remove_file(*fs_, grant_path(home_, grant.id));
  });
  grants_.clear();
  if (!keys_) forget_keys();
}

void Session::end_overdue_grants() {
  if (grants_.empty()) return;
  std::vector<std::string> sealed;
  grants_.each([&](const Grant& grant) {
    if (grant.sealed && grant.expires_at <= clock_->now()) sealed.push_back(grant.id);
  });
  grants_.drop_overdue(clock_->now());
  for (const std::string& id : sealed) (void)remove_file(*fs_, grant_path(home_, id));
  if (!keys_ && grants_.empty()) forget_keys();
}

// After an unlock: those that still live get their keys again.
Status Session::load_grants() {
  grants_.clear();
  PV_ASSIGN(const auto rows, store_->all(store::Table::grants));
  for (const store::Row& row : rows) {
    if (!lives(row, clock_->now()) || row.body["records"].array() == nullptr) continue;
    Grant grant = grant_of(row);
    for (const Json& id : *row.body["records"].array()) {
      const auto record = find_record(*this, id.text_or(""));
      if (!record) continue;  // in the trash by now
      PV_ASSIGN(SecretBytes key, record_key(*record, grant.agent));
      grant.records.insert_or_assign(record->id, std::move(key));
    }
    grants_.add(std::move(grant));
  }
  return {};
}

// --- while only granted

// Whether what live grants need could be kept. granted.head is there before vault.enc says that it must be.
bool Session::keep_granted() {
  grants_.drop_overdue(clock_->now());
  if (grants_.empty() || frozen()) return false;
  const auto kept = [&]() -> Status {
    PV_TRY(write_granted_head());
    PV_ASSIGN(auto tx, store_->begin());
    return commit(tx, [](Keyring& keys) { keys.set_granted(true); });
  }();
  if (!kept) log_warning("the grants end with the lock: " + kept.error().message());
  return kept.has_value();
}

Status Session::write_granted_head() {
  const auto checkpoint = sign_head(store_->head(), clock_->now());
  return write_atomic(*fs_, head_path(home_), as_bytes(journal::to_json(checkpoint).dump() + "\n"));
}

Status Session::commit_granted(store::Transaction& tx) {
  PV_TRY(tx.commit());
  const Status placed = write_granted_head();
  behind_ = !placed.has_value();
  return placed ? Status{} : fail(placed.error().code, "it is done, but granted.head is behind: " + placed.error().detail);
}

// None when there is no file; checkpoint_invalid when this vault did not sign it.
Result<std::optional<journal::Head>> Session::granted_head(const crypto::PublicKey& key) {
  const auto file = read_owned(*fs_, head_path(home_), kMostHeadFile);
  if (!file && file.error().code == Errc::not_found) return std::optional<journal::Head>{};
  if (!file) return tl::unexpected(file.error());
  PV_ASSIGN(const Json json, Json::parse(as_text(*file)));
  PV_ASSIGN(const auto checkpoint, journal::checkpoint_from_json(json));
  const auto id = store_->meta("vault_id");
  PV_TRY(journal::verify_checkpoint(key, id && *id ? **id : std::string(), checkpoint));
  return std::optional(checkpoint.head);
}

// state.db against both mirrors: what vault.enc knows, and what was done under grants since. A head that is not there,
// not ours or older than vault.enc allows nothing, and is missed where vault.enc says that grants lived.
Status Session::verify_granted(const Keyring& keys) {
  const journal::Head mirrored{keys.journal().sequence, keys.journal().hash};
  const auto key = crypto::SigningKey::from_seed(keys.subkey("journal")).public_key();
  const auto head = granted_head(key);
  const bool newer = head && *head && (*head)->seq >= mirrored.seq;
  if (keys.granted() && !newer) {
    if (!head) return tl::unexpected(head.error());
    return fail(Errc::state_rolled_back, *head ? "granted.head is older than vault.enc" : "granted.head is gone");
  }
  const journal::Signer signer{keys.vault_id(), key};
  return newer ? store_->verify_against(mirrored, signer, *head) : store_->verify_against(mirrored, signer);
}

// --- sealed to a service's credential

Status Session::use_service_credential(const std::string& path) {
  const int fd = fs_->open(path, OpenFor::reading);
  if (fd < 0) return fail(Errc::credential_missing);
  SecretBytes content = SecretBytes::zeros(kMostCredential);
  std::size_t size = 0;
  ssize_t n = 0;
  while (size < content.size() && (n = fs_->read(fd, content.reveal(SecretAccess{}).subspan(size))) > 0)
    size += static_cast<std::size_t>(n);
  fs_->close(fd);
  if (n < 0 || size < kLeastCredential) return fail(Errc::credential_missing, "popvault-grant has under 32 bytes");
  content.shrink(size);
  service_key_ = crypto::hkdf_sha256(content, "popvault:grant-seal");
  return {};
}

Status Session::seal_grant(const Grant& grant) {
  VaultDocument out;
  out.set_text("agent", grant.agent);
  out.set_text("expires_at", std::to_string(grant.expires_at));
  out.set_text("grant", grant.id);
  out.set_text("vault", vault_id());
  for (const char* purpose : {"journal", "row", "view"}) out.set(purpose, secret_to_hex(keys_->subkey(purpose)));
  for (const auto& [id, key] : grant.records) out.set(std::string(kRecordMember) + id, secret_to_hex(key));
  PV_ASSIGN(const Bytes sealed, seal_vault(service_key_, out));
  PV_TRY(ensure_private_dir(*fs_, grants_dir(home_)));
  return write_atomic(*fs_, grant_path(home_, grant.id), sealed);
}

namespace {

Result<SecretBytes> key_of(const VaultDocument& document, std::string_view name) {
  const SecretBytes* const hex = document.find(name);
  auto key = hex != nullptr ? secret_from_hex(*hex, kKeySize) : std::nullopt;
  if (!key) return fail(Errc::vault_corrupt, "a sealed grant");
  return std::move(*key);
}

std::string text_of(const VaultDocument& document, std::string_view name) {
  const SecretBytes* const value = document.find(name);
  return value != nullptr ? std::string(as_text(value->reveal(SecretAccess{}))) : std::string();
}

}  // namespace

Status Session::adopt_sealed_grant(const VaultDocument& document) {
  if (text_of(document, "vault") != vault_id()) return fail(Errc::vault_corrupt, "a grant of another vault");
  const std::string id = text_of(document, "grant");
  if (!store_->unsealed()) {
    PV_ASSIGN(journal_key_, key_of(document, "journal"));
    PV_ASSIGN(view_key_, key_of(document, "view"));
    PV_ASSIGN(SecretBytes row_key, key_of(document, "row"));
    signer_ = crypto::SigningKey::from_seed(journal_key_).public_key();
    PV_ASSIGN(const auto head, granted_head(*signer_));
    if (!head) return fail(Errc::state_rolled_back, "granted.head is gone");
    store_->unseal(std::move(row_key));
    PV_TRY(store_->verify_against(*head, {vault_id(), signer_}));
    PV_TRY(check_narrowed_mark());
    PV_TRY(book_.load(*store_));
  }
  PV_ASSIGN(const auto row, store_->get(store::Table::grants, id));
  if (!row || !lives(*row, clock_->now()) || narrowed("grant", id)) return fail(Errc::not_found, "a live grant");
  Grant grant = grant_of(*row);
  for (const std::string& name : document.names()) {
    if (!name.starts_with(kRecordMember)) continue;
    PV_ASSIGN(SecretBytes key, key_of(document, name));
    grant.records.insert_or_assign(name.substr(kRecordMember.size()), std::move(key));
  }
  Json body;
  body.set("agent", grant.agent);
  body.set("grant", id);
  grants_.add(std::move(grant));
  return note(journal::Kind::grant_opened, std::move(body));
}

Status Session::open_sealed_grants() {
  if (service_key_.empty() || state() != State::locked) return {};
  FileStat st;
  if (fs_->stat_path(grants_dir(home_), st) == -ENOENT) return {};
  PV_TRY(ensure_private_dir(*fs_, grants_dir(home_)));
  PV_ASSIGN(const auto files, list_dir(*fs_, grants_dir(home_)));
  for (const std::string& name : files) {
    const auto opened = [&]() -> Status {
      PV_ASSIGN(const Bytes file, read_owned(*fs_, grants_dir(home_) + "/" + name, kMostGrantFile));
      PV_ASSIGN(const VaultDocument document, open_vault(service_key_, file));
      return adopt_sealed_grant(document);
    }();
    if (!opened) log_warning("a sealed grant stays closed: " + opened.error().message());
  }
  if (grants_.empty() || frozen()) {
    grants_.clear();
    forget_keys();
  }
  return {};
}

}  // namespace popvault
