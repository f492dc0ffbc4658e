#include "store/store.hpp"

#include <utility>

#include "crypto/digest.hpp"

// src/store/schema.sql, embedded at build time.
extern const char popvault_embedded_schema[];

namespace popvault::store {
namespace {

constexpr std::int64_t kSchemaVersion = 1;
constexpr std::string_view kTables[] = {"records", "agents", "policies", "settings", "purchases", "ledger"};

std::string select_from(Table table) {
  return "SELECT id, version, body, mac FROM " + std::string(to_string(table));
}

}  // namespace

std::string_view to_string(Table table) noexcept { return kTables[static_cast<std::size_t>(table)]; }

Result<Store> Store::open(const std::string& path, const Clock& clock) {
  PV_ASSIGN(Database db, Database::open(path));
  Store out(std::move(db), clock);
  PV_TRY(out.migrate());
  PV_TRY(out.load_head());
  return out;
}

Status Store::migrate() {
  std::int64_t version = 0;
  PV_TRY(db_.run("PRAGMA user_version", {}, [&](const Columns& c) { return version = c.integer(0), false; }));
  if (version > kSchemaVersion) return fail(Errc::newer_version, "state.db has schema " + std::to_string(version));
  if (version == kSchemaVersion) return check_schema();
  std::int64_t tables = 0;
  PV_TRY(db_.run("SELECT count(*) FROM sqlite_master", {}, [&](const Columns& c) { return tables = c.integer(0), false; }));
  if (tables != 0) return fail(Errc::state_corrupt, "state.db is not popvault's");
  PV_TRY(db_.script("BEGIN IMMEDIATE"));
  Status made = db_.script(popvault_embedded_schema);
  if (made) made = db_.script("PRAGMA user_version=1; COMMIT");
  if (!made) (void)db_.script("ROLLBACK");
  return made;
}

// A trigger or view that somebody added would run inside our own statements.
Status Store::check_schema() {
  PV_ASSIGN(Database wanted, Database::in_memory(popvault_embedded_schema));
  PV_ASSIGN(const std::string expected, wanted.schema());
  PV_ASSIGN(const std::string found, db_.schema());
  if (found != expected) return fail(Errc::state_corrupt, "the tables of state.db were changed");
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

Result<Row> Store::checked(Table table, const Columns& columns) const {
  Row row{columns.text(0), columns.integer(1), {}};
  const std::string body = columns.text(2);
  const auto wrong = [&] { return fail(Errc::state_corrupt, "a row of " + std::string(to_string(table))); };
  if (!unsealed()) return fail(Errc::locked);
  if (row.version < 1 || !equal_constant_time(columns.blob(3), mac(table, row.id, row.version, body))) return wrong();
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

Result<std::vector<Row>> Store::purchases_with_status(std::string_view status) {
  return select(Table::purchases, select_from(Table::purchases) + " WHERE json_extract(body,'$.status')=?1", {status});
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
                  return (kind.empty() || row.body["kind"].text_or("") == kind) && (!wanted || wanted(row));
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

Result<std::vector<Row>> Store::ledger_counting(std::string_view agent, Seconds since) {
  return select(Table::ledger,
                select_from(Table::ledger) +
                    " WHERE json_extract(body,'$.agent')=?1 AND"
                    " (json_extract(body,'$.at')>?2 OR json_extract(body,'$.state')='hold')",
                {agent, since});
}

Result<std::int64_t> Store::count(Table table) {
  std::int64_t out = 0;
  PV_TRY(db_.run("SELECT count(*) FROM " + std::string(to_string(table)), {},
                 [&](const Columns& c) { return out = c.integer(0), false; }));
  return out;
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

Result<Transaction> Store::begin() {
  PV_TRY(db_.script("BEGIN IMMEDIATE"));
  Transaction out(*this);
  out.head_ = head_;
  return out;
}

Transaction::Transaction(Transaction&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)), head_(other.head_), changes_(std::move(other.changes_)) {}

Transaction::~Transaction() {
  if (store_ != nullptr) (void)store_->db_.script("ROLLBACK");
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
  return {};
}

Status Transaction::journal(journal::Kind kind, Json body) {
  if (!changes_.empty()) body.set("changes", std::exchange(changes_, {}));
  if (body.is_null()) body = Json(Json::Object{});
  journal::Row row{head_.seq + 1, store_->clock_->now(), kind, body.dump(), {}};
  row.hash = journal::row_hash(head_.hash, row);
  PV_TRY(store_->db_.run("INSERT INTO journal(seq, at, kind, body, hash) VALUES(?1, ?2, ?3, ?4, ?5)",
                         {static_cast<std::int64_t>(row.seq), row.at, static_cast<std::int64_t>(kind), row.body,
                          ByteView(row.hash.bytes)}));
  head_ = {row.seq, row.hash};
  return {};
}

Status Transaction::narrow(std::string_view what, std::string_view id) {
  return store_->db_.run("INSERT INTO narrowings(what, id, at) VALUES(?1, ?2, ?3)", {what, id, store_->clock_->now()});
}

Status Transaction::clear_narrowings() { return store_->db_.run("DELETE FROM narrowings", {}); }

Status Transaction::commit() {
  // A change without its journal row must not exist.
  if (!changes_.empty()) return fail(Errc::internal, "a change without a journal row");
  PV_TRY(store_->db_.script("COMMIT"));
  store_->head_ = head_;
  store_ = nullptr;
  return {};
}

}  // namespace popvault::store
