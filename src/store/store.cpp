#include "store/store.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <utility>

#include "crypto/digest.hpp"

// src/store/schema*.sql, embedded at build time.
extern const char popvault_embedded_schema[];
extern const char popvault_embedded_schema_2[];
extern const char popvault_embedded_schema_3[];

namespace popvault::store {
namespace {

// Entry n leads from schema n to n + 1; a fresh file takes all of them.
struct Step {
  const char* sql;
  std::string_view since;  // the first version that knows the schema it leads to
};
const Step kSteps[] = {
    {popvault_embedded_schema, "0.1.0"}, {popvault_embedded_schema_2, "0.2.0"}, {popvault_embedded_schema_3, "0.3.0"}};
constexpr std::int64_t kSchemaVersion = std::size(kSteps);

constexpr std::string_view kNames[] = {"records", "agents", "policies", "settings",      "purchases",
                                       "ledger",  "epochs", "grants",   "authenticators"};
static_assert(std::size(kNames) == std::size(kTables));

// It comes from a file that is not believed.
bool plain_version(std::string_view text) {
  return !text.empty() && text.size() <= 16 && text.find_first_not_of("0123456789.") == text.npos;
}

std::string select_from(Table table) {
  return "SELECT id, version, body, mac FROM " + std::string(to_string(table));
}

}  // namespace

std::string row_name(std::string_view table, std::string_view id) {
  std::string out;
  out.reserve(table.size() + 1 + id.size());
  return out.append(table).append(" ").append(id);
}

std::string_view to_string(Table table) noexcept { return kNames[static_cast<std::size_t>(table)]; }

Result<Store> Store::open(const std::string& path, const Clock& clock, bool make) {
  constexpr off_t kSmallest = 512;  // what SQLite takes for a database without a page
  struct stat st {};
  if (!make && stat(path.c_str(), &st) == 0 && st.st_size < kSmallest) return fail(Errc::state_corrupt, "state.db is empty");
  PV_ASSIGN(Database db, Database::open(path));
  Store out(std::move(db), path, clock);
  PV_TRY(out.migrate(make));
  PV_TRY(out.load_head());
  return out;
}

Status Store::migrate(bool make) {
  PV_ASSIGN(const std::int64_t version, number("PRAGMA user_version"));
  if (version > kSchemaVersion) {
    const auto needs = meta("needs");
    const bool told = needs && *needs && plain_version(**needs);
    return fail(Errc::newer_version, "state.db has schema " + std::to_string(version) +
                                         (told ? " and needs popvault " + **needs : std::string()));
  }
  if (version < 0) return fail(Errc::state_corrupt, "state.db is not popvault's");
  if (version == 0) {
    PV_ASSIGN(const std::int64_t tables, number("SELECT count(*) FROM sqlite_master"));
    if (tables != 0) return fail(Errc::state_corrupt, "state.db is not popvault's");
    // What it held may still stand in a log that a flipped bit made unreadable.
    if (!make) return fail(Errc::state_corrupt, "state.db is empty");
    return step(0, kSchemaVersion);
  }
  PV_TRY(check_schema(version));
  for (std::int64_t at = version; at < kSchemaVersion; ++at) {
    PV_TRY(copy_before(at));
    PV_TRY(step(at, at + 1));
    PV_TRY(check_schema(at + 1));
  }
  return {};
}

// All of it or nothing.
Status Store::step(std::int64_t from, std::int64_t to) {
  PV_TRY(db_.script("BEGIN IMMEDIATE"));
  Status made;
  for (std::int64_t at = from; at < to && made; ++at) made = db_.script(kSteps[at].sql);
  if (made) made = set_meta("needs", kSteps[to - 1].since);
  if (made) made = db_.script(("PRAGMA user_version=" + std::to_string(to) + "; COMMIT").c_str());
  if (!made) (void)db_.script("ROLLBACK");
  return made;
}

// A trigger or view that somebody added would run inside our own statements.
Status Store::check_schema(std::int64_t version) {
  PV_ASSIGN(Database wanted, Database::in_memory());
  for (std::int64_t at = 0; at < version; ++at) PV_TRY(wanted.script(kSteps[at].sql));
  PV_ASSIGN(const std::string expected, wanted.schema());
  PV_ASSIGN(const std::string found, db_.schema());
  if (found != expected) return fail(Errc::state_corrupt, "the tables of state.db were changed");
  return {};
}

// The copy stays until an unlock has found everything right. A file that a killed try left is made anew: the
// original has not moved then.
Status Store::copy_before(std::int64_t version) {
  const std::string path = path_ + ".schema-" + std::to_string(version);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "removing an old copy of state.db");
  PV_TRY(db_.copy_to(path));
  PV_ASSIGN(Database copy, Database::open_read_only(path));
  PV_ASSIGN(const std::string schema, copy.schema());
  PV_ASSIGN(const std::string original, db_.schema());
  const auto summary = [](Database& db) -> Result<std::string> {
    std::string out;
    PV_TRY(db.run("PRAGMA integrity_check(1)", {}, [&](const Columns& c) { return out = c.text(0), false; }));
    PV_TRY(db.run("SELECT coalesce(max(seq),0), count(*), hex(max(hash)) FROM journal", {}, [&](const Columns& c) {
      out += " " + c.text(0) + " " + c.text(1) + " " + c.text(2);
      return false;
    }));
    return out;
  };
  PV_ASSIGN(const std::string copied, summary(copy));
  PV_ASSIGN(const std::string wanted, summary(db_));
  if (schema != original || copied != wanted || !copied.starts_with("ok "))
    return fail(Errc::io_error, "a copy of state.db before its schema moves is not whole");
  return {};
}

std::optional<std::string> Store::old_copy() const {
  for (std::int64_t version = 1; version < kSchemaVersion; ++version) {
    std::string path = path_ + ".schema-" + std::to_string(version);
    if (access(path.c_str(), F_OK) == 0) return path;
  }
  return std::nullopt;
}

Status Store::drop_old_copy() {
  while (const auto copy = old_copy())
    if (unlink(copy->c_str()) != 0) return fail_errno(errno, "removing an old copy of state.db");
  return {};
}

Status Store::load_head() {
  head_ = {};
  Bytes hash;
  PV_TRY(db_.run("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1", {}, [&](const Columns& c) {
    head_.seq = static_cast<std::uint64_t>(c.integer(0));
    hash = c.blob(1);
    return false;
  }));
  PV_TRY(db_.run("SELECT max(seq), at FROM journal WHERE kind=?1", {static_cast<std::int64_t>(journal::Kind::checkpoint)},
                 [&](const Columns& c) {
                   checkpoint_ = {static_cast<std::uint64_t>(c.integer(0)), c.integer(1)};
                   return false;
                 }));
  if (head_.seq == 0) return {};
  if (hash.size() != head_.hash.bytes.size()) return fail(Errc::journal_broken, "the last row has no hash");
  std::copy(hash.begin(), hash.end(), head_.hash.bytes.begin());
  return {};
}

Bytes Store::mac(Table table, std::string_view id, std::int64_t version, std::string_view body) const {
  ByteWriter in;
  in.text("PVROW1").text(to_string(table)).text(id).u64(static_cast<std::uint64_t>(version));
  const crypto::Digest digest = crypto::hmac_sha256(row_key_, {in.bytes(), as_bytes(body)});
  return {digest.bytes.begin(), digest.bytes.end()};
}

bool Store::sealed_well(Table table, std::string_view id, std::int64_t version, std::string_view body,
                        ByteView mac) const {
  return version >= 1 && unsealed() && equal_constant_time(mac, this->mac(table, id, version, body));
}

// What a transaction that still runs wrote is newer, and nobody else can seal a row.
bool Store::newest(Table table, std::string_view id, std::int64_t version) const {
  const auto at = versions_.find(row_name(to_string(table), id));
  return at == versions_.end() || version >= at->second;
}

Result<Row> Store::checked(Table table, const Columns& columns) const {
  Row row{columns.text(0), columns.integer(1), {}};
  const std::string body = columns.text(2);
  const auto wrong = [&] { return fail(Errc::state_corrupt, "a row of " + std::string(to_string(table))); };
  if (!unsealed()) return fail(Errc::locked);
  if (!sealed_well(table, row.id, row.version, body, columns.blob(3))) return wrong();
  if (!newest(table, row.id, row.version))
    return fail(Errc::state_rolled_back, "a row of " + std::string(to_string(table)) + " is older than it was");
  auto parsed = Json::parse(body);
  if (!parsed || parsed->object() == nullptr) return wrong();
  row.body = std::move(*parsed);
  return row;
}

Result<std::vector<Row>> Store::select(Table table, std::string_view sql, std::initializer_list<Value> values,
                                       std::int64_t limit, const std::function<bool(const Row&)>& wanted) {
  std::vector<Row> out;
  Status bad;
  PV_TRY(db_.run(sql, values, [&](const Columns& c) {
    auto row = checked(table, c);
    if (!row) {
      bad = tl::unexpected(row.error());
      return false;
    }
    if (!row->deleted() && (!wanted || wanted(*row))) out.push_back(std::move(*row));
    return static_cast<std::int64_t>(out.size()) < limit;
  }));
  if (!bad) return tl::unexpected(bad.error());
  return out;
}

namespace {
Result<std::optional<Row>> first(Result<std::vector<Row>> rows) {
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::optional<Row>{};
  return std::optional(std::move(rows->front()));
}
}  // namespace

Result<std::optional<Row>> Store::get(Table table, std::string_view id) {
  return first(select(table, select_from(table) + " WHERE id=?1", {id}));
}

Result<std::optional<Row>> Store::get_with_deleted(Table table, std::string_view id) {
  std::optional<Row> out;
  Status bad;
  PV_TRY(db_.run(select_from(table) + " WHERE id=?1", {id}, [&](const Columns& c) {
    auto row = checked(table, c);
    if (row)
      out = std::move(*row);
    else
      bad = tl::unexpected(row.error());
    return false;
  }));
  if (!bad) return tl::unexpected(bad.error());
  return out;
}

Result<std::vector<Row>> Store::all(Table table) { return select(table, select_from(table) + " ORDER BY id", {}); }

Result<std::vector<std::string>> Store::record_ids() {
  std::vector<std::string> out;
  PV_TRY(db_.run("SELECT id FROM records WHERE json_extract(body,'$.epoch')>0 ORDER BY id", {},
                 [&](const Columns& c) { return out.push_back(c.text(0)), true; }));
  return out;
}

Result<std::vector<Row>> Store::purchases_with_status(std::string_view status) {
  return select(Table::purchases, select_from(Table::purchases) + " WHERE json_extract(body,'$.status')=?1", {status});
}

Result<std::vector<Row>> Store::purchases_where(Seconds before, std::int64_t limit,
                                                const std::function<bool(const Row&)>& wanted) {
  return select(Table::purchases,
                select_from(Table::purchases) + " WHERE coalesce(json_extract(body,'$.requested_at'),0)<?1 ORDER BY id",
                {before}, limit, wanted);
}

Status Store::drop_log() {
  return db_.run("PRAGMA wal_checkpoint(TRUNCATE)", {}, [](const Columns&) { return false; });
}

Result<std::optional<Row>> Store::agent_with_key(std::string_view key_sha256) {
  return first(
      select(Table::agents, select_from(Table::agents) + " WHERE json_extract(body,'$.key_sha256')=?1", {key_sha256}));
}

Result<std::optional<Row>> Store::record_with_alias(std::string_view alias) {
  return first(
      select(Table::records, select_from(Table::records) + " WHERE json_extract(body,'$.alias')=?1", {alias}));
}

Result<std::vector<Row>> Store::records_after(std::string_view id, std::string_view kind, std::int64_t limit,
                                              const std::function<bool(const Row&)>& wanted) {
  return select(Table::records, select_from(Table::records) + " WHERE id>?1 ORDER BY id", {id}, limit,
                [&](const Row& row) {
                  return row.body["trashed_at"].is_null() && (kind.empty() || row.body["kind"].text_or("") == kind) &&
                         (!wanted || wanted(row));
                });
}

Result<std::optional<std::string>> Store::unverified_agent_with_key(std::string_view key_sha256) {
  std::optional<std::string> out;
  PV_TRY(db_.run("SELECT id FROM agents WHERE json_extract(body,'$.key_sha256')=?1", {key_sha256},
                 [&](const Columns& c) { return out = c.text(0), false; }));
  return out;
}

Result<std::vector<std::string>> Store::unverified_agents_named(std::string_view id_or_name) {
  std::vector<std::string> out;
  PV_TRY(db_.run("SELECT id FROM agents WHERE id=?1 OR json_extract(body,'$.name')=?1", {id_or_name},
                 [&](const Columns& c) { return out.push_back(c.text(0)), true; }));
  return out;
}

Result<std::optional<std::string>> Store::unverified_purchase_status(std::string_view id) {
  std::optional<std::string> out;
  PV_TRY(db_.run("SELECT json_extract(body,'$.status') FROM purchases WHERE id=?1", {id},
                 [&](const Columns& c) { return out = c.text(0), false; }));
  return out;
}

Result<std::optional<Row>> Store::purchase_with_key(std::string_view agent, std::string_view key) {
  return first(select(Table::purchases,
                      select_from(Table::purchases) +
                          " WHERE json_extract(body,'$.agent')=?1 AND json_extract(body,'$.idempotency_key')=?2",
                      {agent, key}));
}

Result<std::vector<Row>> Store::ledger_since(Seconds since) {
  return select(Table::ledger, select_from(Table::ledger) + " WHERE json_extract(body,'$.at')>=?1", {since});
}

Result<std::int64_t> Store::number(std::string_view sql, std::initializer_list<Value> values) {
  std::int64_t out = 0;
  PV_TRY(db_.run(sql, values, [&](const Columns& c) { return out = c.integer(0), false; }));
  return out;
}

Result<std::int64_t> Store::count_records() {
  // What is gone has no epoch; this and count_trash() look at an index only.
  PV_ASSIGN(const std::int64_t all, number("SELECT count(*) FROM records WHERE json_extract(body,'$.epoch')>0"));
  PV_ASSIGN(const std::int64_t in_trash, count_trash());
  return all - in_trash;
}

Result<std::int64_t> Store::count_trash() {
  return number("SELECT count(*) FROM records WHERE json_extract(body,'$.trashed_at') IS NOT NULL");
}

Result<std::int64_t> Store::count_in_epoch(std::int64_t epoch) {
  return number("SELECT count(*) FROM records WHERE json_extract(body,'$.epoch')=?1", {epoch});
}

Result<std::int64_t> Store::count_before_epoch(std::int64_t epoch) {
  return number("SELECT count(*) FROM records WHERE json_extract(body,'$.epoch')<?1", {epoch});
}

Result<std::vector<Row>> Store::records_before_epoch(std::int64_t epoch, std::int64_t limit,
                                                     const std::set<std::string>& except) {
  return select(Table::records, select_from(Table::records) + " WHERE json_extract(body,'$.epoch')<?1", {epoch}, limit,
                [&](const Row& row) { return !except.contains(row.id); });
}

Result<std::vector<Row>> Store::trash(std::string_view after, std::int64_t limit) {
  return select(Table::records,
                select_from(Table::records) +
                    " WHERE json_extract(body,'$.trashed_at') IS NOT NULL AND id>?1 ORDER BY id LIMIT ?2",
                {after, limit});
}

Result<std::vector<Row>> Store::trashed_before(Seconds time, std::int64_t limit) {
  return select(Table::records,
                select_from(Table::records) + " WHERE json_extract(body,'$.trashed_at')<?1 LIMIT ?2", {time, limit});
}

Result<std::vector<Row>> Store::unverified(std::string_view sql, std::initializer_list<Value> values) {
  std::vector<Row> out;
  PV_TRY(db_.run(sql, values, [&](const Columns& c) {
    Row row{c.text(0), c.integer(1), {}};
    auto body = Json::parse(c.text(2));
    if (body) row.body = std::move(*body);
    if (!row.deleted()) out.push_back(std::move(row));
    return true;
  }));
  return out;
}

Result<std::vector<Row>> Store::unverified_pointers() {
  return unverified("SELECT id, version, body FROM records ORDER BY id");
}

Result<std::set<std::string>> Store::texts(std::string_view sql) {
  std::set<std::string> out;
  PV_TRY(db_.run(sql, {}, [&](const Columns& c) { return out.insert(c.text(0)), true; }));
  return out;
}

Result<std::set<std::string>> Store::blobs_in_use() {
  return texts("SELECT json_extract(body,'$.blob') FROM records WHERE json_extract(body,'$.epoch')>0");
}

Result<std::set<std::string>> Store::shredded_blobs() {
  // What is gone has no epoch, and NULL stands first in the index.
  return texts("SELECT json_extract(body,'$.shredded_blob') FROM records WHERE json_extract(body,'$.epoch') IS NULL");
}

Result<std::vector<Row>> Store::unverified_pointer(std::string_view record) {
  return unverified("SELECT id, version, body FROM records WHERE id=?1", {record});
}

Result<std::vector<Row>> Store::unverified_epochs() {
  return unverified("SELECT id, version, body FROM epochs ORDER BY CAST(id AS INTEGER)");
}

Result<std::vector<Row>> Store::unverified_grants() { return unverified("SELECT id, version, body FROM grants ORDER BY id"); }

Result<std::optional<Json>> Store::unverified_setting(std::string_view id) {
  PV_ASSIGN(auto rows, unverified("SELECT id, version, body FROM settings WHERE id=?1", {id}));
  return rows.empty() ? std::optional<Json>{} : std::optional(std::move(rows.front().body));
}

Result<bool> Store::exists(Table table, std::string_view id) {
  bool out = false;
  PV_TRY(db_.run("SELECT 1 FROM " + std::string(to_string(table)) + " WHERE id=?1", {id},
                 [&](const Columns&) { return out = true, false; }));
  return out;
}

Result<std::vector<Narrowing>> Store::narrowings() {
  std::vector<Narrowing> out;
  PV_TRY(db_.run("SELECT what, id FROM narrowings ORDER BY seq", {}, [&](const Columns& c) {
    out.push_back({c.text(0), c.text(1)});
    return true;
  }));
  return out;
}

Result<std::optional<std::string>> Store::meta(std::string_view key) {
  std::optional<std::string> out;
  PV_TRY(db_.run("SELECT value FROM meta WHERE key=?1", {key}, [&](const Columns& c) { return out = c.text(0), false; }));
  return out;
}

Status Store::set_meta(std::string_view key, std::string_view value) {
  return db_.run("INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value=excluded.value",
                 {key, value});
}

Status Store::unset_meta(std::string_view key) { return db_.run("DELETE FROM meta WHERE key=?1", {key}); }

Result<Transaction> Store::begin() {
  ++changes_;
  PV_TRY(db_.script("BEGIN IMMEDIATE"));
  Transaction out(*this);
  out.head_ = head_;
  return out;
}

Transaction::Transaction(Transaction&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)), head_(other.head_), checkpoint_(other.checkpoint_),
      changes_(std::move(other.changes_)), versions_(std::move(other.versions_)), undone_(std::move(other.undone_)) {}

Transaction::~Transaction() {
  if (store_ == nullptr) return;
  ++store_->changes_;
  (void)store_->db_.script("ROLLBACK");
  if (undone_) undone_();
}

Status Transaction::put(Table table, const Row& row) {
  if (!store_->unsealed()) return fail(Errc::locked);
  const std::string body = row.body.dump();
  const std::int64_t version = row.version + 1;
  const Bytes mac = store_->mac(table, row.id, version, body);
  std::int64_t changed = 0;
  if (row.version == 0) {
    PV_TRY(store_->db_.run("INSERT INTO " + std::string(to_string(table)) +
                               "(id, version, body, mac) VALUES(?1, 1, ?2, ?3) RETURNING 1",
                           {row.id, body, ByteView(mac)}, [&](const Columns&) { return ++changed, true; }));
  } else {
    PV_TRY(store_->db_.run("UPDATE " + std::string(to_string(table)) +
                               " SET version=?2, body=?3, mac=?4 WHERE id=?1 AND version=?5 RETURNING 1",
                           {row.id, version, body, ByteView(mac), row.version},
                           [&](const Columns&) { return ++changed, true; }));
  }
  if (changed != 1) return fail(Errc::busy);
  Json change;
  change.set("digest", crypto::sha256(as_bytes(body)).hex());
  change.set("id", row.id);
  change.set("table", std::string(to_string(table)));
  change.set("version", version);
  changes_.push_back(std::move(change));
  versions_.emplace_back(row_name(to_string(table), row.id), version);
  return {};
}

const Clock& Transaction::clock() const noexcept { return *store_->clock_; }

Status Transaction::journal(journal::Kind kind, Json body, Seconds at) {
  if (!changes_.empty()) body.set("changes", std::exchange(changes_, {}));
  if (body.is_null()) body = Json(Json::Object{});
  journal::Row row{head_.seq + 1, at, kind, body.dump(), {}};
  row.hash = journal::row_hash(head_.hash, row);
  return append(row);
}

Status Transaction::append(const journal::Row& row) {
  PV_TRY(store_->db_.run("INSERT INTO journal(seq, at, kind, body, hash) VALUES(?1, ?2, ?3, ?4, ?5)",
                         {static_cast<std::int64_t>(row.seq), row.at, static_cast<std::int64_t>(row.kind), row.body,
                          ByteView(row.hash.bytes)}));
  head_ = {row.seq, row.hash};
  if (row.kind == journal::Kind::checkpoint) checkpoint_ = {row.seq, row.at};
  return {};
}

Status Transaction::import_journal(const journal::Row& row) {
  if (row.seq != head_.seq + 1 || !(journal::row_hash(head_.hash, row) == row.hash))
    return fail(Errc::journal_broken, "row " + std::to_string(row.seq));
  return append(row);
}

Status Transaction::narrow(std::string_view what, std::string_view id) {
  return store_->db_.run("INSERT INTO narrowings(what, id, at) VALUES(?1, ?2, ?3)", {what, id, store_->clock_->now()});
}

Status Transaction::clear_narrowings() { return store_->db_.run("DELETE FROM narrowings", {}); }

Status Transaction::commit() {
  // A change without its journal row must not exist.
  if (!changes_.empty()) return fail(Errc::internal, "a change without a journal row");
  PV_TRY(store_->db_.script("COMMIT"));
  ++store_->changes_;
  store_->head_ = head_;
  if (checkpoint_.seq != 0) store_->checkpoint_ = checkpoint_;
  for (auto& [name, version] : versions_) store_->versions_.insert_or_assign(std::move(name), version);
  store_ = nullptr;
  return {};
}

}  // namespace popvault::store
