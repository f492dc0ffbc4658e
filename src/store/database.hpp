// SQLite, as the store needs it: WAL, synchronous FULL, one exclusive connection, prepared statements.
//
// The only user of sqlite3. Errors are io_error, disk_full or state_corrupt, never an exception. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace popvault::store {

// One column of a result row, valid until the next step.
class Columns {
 public:
  explicit Columns(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t integer(int column) const noexcept;
  std::string text(int column) const;
  Bytes blob(int column) const;

 private:
  sqlite3_stmt* statement_;
};

class Value {
 public:
  Value(std::int64_t v) : kind_(Kind::integer), number_(v) {}
  Value(std::string_view v) : kind_(Kind::text), bytes_(as_bytes(v)) {}
  Value(const std::string& v) : Value(std::string_view(v)) {}
  Value(const char* v) : Value(std::string_view(v)) {}
  Value(ByteView v) : kind_(Kind::blob), bytes_(v) {}

 private:
  friend class Database;
  enum class Kind : std::uint8_t { integer, text, blob };
  Kind kind_;
  std::int64_t number_ = 0;
  ByteView bytes_;
};

class Database {
 public:
  // Opens or creates the file (0600) and takes its exclusive lock.
  static Result<Database> open(const std::string& path);
  // A private one in memory.
  static Result<Database> in_memory();
  // An existing file that is only looked at.
  static Result<Database> open_read_only(const std::string& path);
  ~Database();
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  Database(const Database&) = delete;

  // Whether closing leaves the write-ahead log as it is. From the start on it does, until what it says was checked:
  // a log that is damaged would be thrown away.
  Status keep_log(bool keep);

  Status script(const char* sql);
  // The text of every table, index, trigger and view.
  Result<std::string> schema();
  // A whole copy as a new file (which must not exist), on disk when this returns.
  Status copy_to(const std::string& path);
  // Runs one statement; `row` is called for each result row and says whether to go on.
  Status run(std::string_view sql, std::initializer_list<Value> values,
             const std::function<bool(const Columns&)>& row = {});

 private:
  explicit Database(sqlite3* db) : db_(db) {}
  Result<sqlite3_stmt*> prepare(std::string_view sql);
  tl::unexpected<Error> error(std::string_view what) const;

  sqlite3* db_ = nullptr;
  std::vector<std::pair<std::string, sqlite3_stmt*>> prepared_;
};

}  // namespace popvault::store
