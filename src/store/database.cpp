#include "store/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "os/descriptor.hpp"

namespace popvault::store {

std::int64_t Columns::integer(int column) const noexcept { return sqlite3_column_int64(statement_, column); }

std::string Columns::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data == nullptr ? std::string{}
                         : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Bytes Columns::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return data == nullptr ? Bytes{} : Bytes(data, data + sqlite3_column_bytes(statement_, column));
}

Result<Database> Database::open(const std::string& path) {
  sqlite3* db = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX;
  const int opened = sqlite3_open_v2(path.c_str(), &db, kFlags, nullptr);
  Database out(db);
  if (opened != SQLITE_OK) return out.error("opening state.db");
  sqlite3_extended_result_codes(db, 1);
  PV_TRY(out.keep_log(true));
  // EXCLUSIVE: no other process writes beside us, and the WAL index stays in our memory.
  PV_TRY(out.script("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                    "PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON;"
                    "PRAGMA secure_delete=ON; PRAGMA journal_size_limit=4194304;"));
  return out;
}

Result<std::string> Database::schema() {
  std::string out;
  // SQLite's own names begin with "sqlite_"; it lets nobody make another one with that beginning.
  PV_TRY(run("SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql,'') FROM sqlite_master"
             " WHERE substr(name,1,7) <> 'sqlite_' ORDER BY type, name",
             {}, [&](const Columns& c) {
               out.append(c.text(0)).push_back('\n');
               return true;
             }));
  return out;
}

Result<Database> Database::in_memory() {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Database out(db);
  if (opened != SQLITE_OK) return out.error("opening a database in memory");
  return out;
}

Result<Database> Database::open_read_only(const std::string& path) {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, nullptr);
  Database out(db);
  if (opened != SQLITE_OK) return out.error("opening a copy of state.db");
  return out;
}

Status Database::copy_to(const std::string& path) {
  PV_TRY(run("VACUUM INTO ?1", {path}));
  // SQLite does not sync what VACUUM INTO wrote.
  for (const std::string& name : {path, path.substr(0, path.rfind('/') + 1)}) {
    const Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file || fsync(file.get()) != 0) return fail_errno(errno, "syncing a copy of state.db");
  }
  return {};
}

Database::Database(Database&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), prepared_(std::move(other.prepared_)) {
  other.prepared_.clear();
}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(prepared_, other.prepared_);
  return *this;
}

Database::~Database() {
  for (auto& entry : prepared_) sqlite3_finalize(entry.second);
  if (db_ != nullptr) sqlite3_close(db_);
}

tl::unexpected<Error> Database::error(std::string_view what) const {
  const int code = db_ == nullptr ? SQLITE_NOMEM : sqlite3_errcode(db_) & 0xff;
  const std::string detail = std::string(what) + ": " + (db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code));
  switch (code) {
    case SQLITE_FULL: return fail(Errc::disk_full, detail);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR:
    case SQLITE_MISMATCH: return fail(Errc::state_corrupt, detail);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return fail(Errc::daemon_running, "state.db is in use");
    default: return fail(Errc::io_error, detail);
  }
}

Status Database::keep_log(bool keep) {
  if (sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr) != SQLITE_OK) return error("state.db");
  return {};
}

Status Database::script(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error("state.db");
  return {};
}

Result<sqlite3_stmt*> Database::prepare(std::string_view sql) {
  for (const auto& [text, statement] : prepared_)
    if (text == sql) return statement;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK)
    return error("state.db");
  prepared_.emplace_back(std::string(sql), statement);
  return statement;
}

Status Database::run(std::string_view sql, std::initializer_list<Value> values,
                     const std::function<bool(const Columns&)>& row) {
  PV_ASSIGN(sqlite3_stmt* const statement, prepare(sql));
  int index = 0;
  for (const Value& v : values) {
    ++index;
    const auto size = static_cast<sqlite3_uint64>(v.bytes_.size());
    // A null pointer would bind NULL instead of an empty value.
    const void* const data = v.bytes_.data() != nullptr ? v.bytes_.data() : reinterpret_cast<const void*>("");
    if (v.kind_ == Value::Kind::integer)
      sqlite3_bind_int64(statement, index, v.number_);
    else if (v.kind_ == Value::Kind::text)
      sqlite3_bind_text64(statement, index, static_cast<const char*>(data), size, SQLITE_TRANSIENT, SQLITE_UTF8);
    else
      sqlite3_bind_blob64(statement, index, data, size, SQLITE_TRANSIENT);
  }
  int step = SQLITE_ROW;
  while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
    if (!row || row(Columns(statement))) continue;
    step = SQLITE_DONE;
    break;
  }
  Status out;
  if (step != SQLITE_DONE) out = error("state.db");
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return out;
}

}  // namespace popvault::store
