// state.db: rows that give authority, each with its MAC, and the journal, written in one transaction.
//
// Reading a row checks its MAC: an absent row is none, a row whose MAC does not verify is state_corrupt, and
// both mean deny to the caller. Without the "row" key (vault locked) nothing sealed can be read or written;
// only the journal, the narrowings and the meta facts. One thread; a Transaction must end before the next.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "journal/audit.hpp"
#include "os/clock.hpp"
#include "rpc/json.hpp"
#include "secret/secret_bytes.hpp"
#include "store/database.hpp"

namespace popvault::store {

enum class Table : std::uint8_t { records, agents, policies, settings, purchases, ledger, epochs, grants, authenticators };
constexpr Table kTables[] = {Table::records, Table::agents, Table::policies, Table::settings,      Table::purchases,
                             Table::ledger,  Table::epochs, Table::grants,   Table::authenticators};
std::string_view to_string(Table table) noexcept;

// "table id"
std::string row_name(std::string_view table, std::string_view id);

struct Row {
  std::string id;
  std::int64_t version = 0;
  Json body;
  bool deleted() const { return body["deleted"].bool_or(false); }
};

struct Narrowing {
  std::string what;  // "deny", "revoke", "suspend", "cancel" or "freeze"
  std::string id;
};

// The newest checkpoint row; seq 0 before there is one.
struct Checkpointed {
  std::uint64_t seq = 0;
  Seconds at = 0;
};

// What audit.list asks for; an empty or zero member asks for nothing.
struct JournalQuery {
  std::uint64_t after = 0;
  std::string agent{};  // id: rows that name it or one of its purchases
  Seconds since = 0;
  std::optional<journal::Kind> kind{};
  std::int64_t limit = 100;
};

class Store;

// Everything written through it becomes durable together in commit(), or not at all.
class Transaction {
 public:
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;

  // Insert (row.version 0) or replace the version that was read. Another version in the file is busy.
  Status put(Table table, const Row& row);
  // Appends a journal row; the rows put since the last one are named in its body as `changes`.
  Status journal(journal::Kind kind, Json body) { return journal(kind, std::move(body), clock().now()); }
  Status journal(journal::Kind kind, Json body, Seconds at);
  // A row of an earlier life of this journal, as it was: it must continue the chain (journal_broken).
  Status import_journal(const journal::Row& row);
  Status narrow(std::string_view what, std::string_view id);
  Status clear_narrowings();
  // What the journal will end with.
  const journal::Head& head() const noexcept { return head_; }
  Status commit();
  // Called once if this does not become durable: after a rollback, or a commit that failed.
  void if_undone(std::function<void()> undone) {
    if (!undone_) undone_ = std::move(undone);
  }

 private:
  friend class Store;
  explicit Transaction(Store& store) : store_(&store) {}
  const Clock& clock() const noexcept;
  Status append(const journal::Row& row);
  Store* store_;
  journal::Head head_;
  Checkpointed checkpoint_;
  Json::Array changes_;
  std::vector<std::pair<std::string, std::int64_t>> versions_;
  std::function<void()> undone_;
};

class Store {
 public:
  // An older schema is moved forward one step at a time, after a copy that was checked. A newer one is
  // newer_version and names the version it needs.
  // `make`: an empty or absent file becomes an empty store; otherwise it is state_corrupt and stays as it is.
  static Result<Store> open(const std::string& path, const Clock& clock, bool make = true);

  // The "row" key; reset() takes it away again.
  void unseal(SecretBytes row_key) {
    ++changes_;
    row_key_ = std::move(row_key);
  }
  void seal() noexcept {
    ++changes_;
    row_key_.reset();
    versions_.clear();
  }
  bool unsealed() const noexcept { return !row_key_.empty(); }

  Result<Transaction> begin();
  // Another number than before: something may have been written since, or the key came or went.
  std::uint64_t changes() const noexcept { return changes_; }
  Result<std::optional<Row>> get(Table table, std::string_view id);
  // Also a deleted one: for a caller that writes the next version.
  Result<std::optional<Row>> get_with_deleted(Table table, std::string_view id);
  // Every row of a table in the order of ids, deleted ones left out.
  Result<std::vector<Row>> all(Table table);
  Result<std::vector<std::string>> record_ids();
  Result<std::vector<Row>> purchases_with_status(std::string_view status);
  // At most `limit` purchases that were asked for before a time and are `wanted`.
  Result<std::vector<Row>> purchases_where(Seconds before, std::int64_t limit, const std::function<bool(const Row&)>& wanted);
  Result<std::optional<Row>> agent_with_key(std::string_view key_sha256);
  Result<std::optional<Row>> record_with_alias(std::string_view alias);
  // At most `limit` records after an id and not in the trash, of one kind (or "" for all) and accepted by `wanted`.
  Result<std::vector<Row>> records_after(std::string_view id, std::string_view kind, std::int64_t limit,
                                         const std::function<bool(const Row&)>& wanted);
  // The same without a key, while locked: nothing that it says may give power.
  Result<std::optional<std::string>> unverified_agent_with_key(std::string_view key_sha256);
  Result<std::vector<std::string>> unverified_agents_named(std::string_view id_or_name);
  Result<std::optional<std::string>> unverified_purchase_status(std::string_view id);
  Result<std::optional<Row>> purchase_with_key(std::string_view agent, std::string_view idempotency_key);
  const Clock& clock() const noexcept { return *clock_; }
  // Ledger rows since a time.
  Result<std::vector<Row>> ledger_since(Seconds since);
  // Records that are neither in the trash nor gone; those in the trash; those (trash too) of one epoch. Not verified.
  Result<std::int64_t> count_records();
  Result<std::int64_t> count_trash();
  Result<std::int64_t> count_in_epoch(std::int64_t epoch);
  Result<std::int64_t> count_before_epoch(std::int64_t epoch);
  // At most `limit` records, trash too, that point to an epoch before this one, without those of these ids.
  Result<std::vector<Row>> records_before_epoch(std::int64_t epoch, std::int64_t limit,
                                                const std::set<std::string>& except);
  Result<std::vector<Row>> trash(std::string_view after, std::int64_t limit);
  Result<std::vector<Row>> trashed_before(Seconds time, std::int64_t limit);
  // Every record's pointer, as far as can be told without a key: for looking at blobs, never for using one.
  Result<std::vector<Row>> unverified_pointers();
  Result<std::vector<Row>> unverified_pointer(std::string_view record);
  Result<std::vector<Row>> unverified_epochs();
  Result<std::vector<Row>> unverified_grants();
  Result<std::optional<Json>> unverified_setting(std::string_view id);
  // The ids of the blobs that records name.
  Result<std::set<std::string>> blobs_in_use();
  // Those of records that were shredded.
  Result<std::set<std::string>> shredded_blobs();
  // Whether an id stands in a table, sealed or not.
  Result<bool> exists(Table table, std::string_view id);

  Result<std::vector<Narrowing>> narrowings();
  Result<std::optional<std::string>> meta(std::string_view key);
  Status set_meta(std::string_view key, std::string_view value);
  Status unset_meta(std::string_view key);
  // Where the copy is that was made before the schema moved; none when there is none. drop_old_copy() is for when
  // everything was found right.
  std::optional<std::string> old_copy() const;
  Status drop_old_copy();

  journal::Head head() const noexcept { return head_; }
  // Empties the write-ahead log into state.db: what was overwritten is then in neither.
  Status drop_log();
  // After verify_against(): a row that is read later must be of the version that was verified or written since, so that
  // an older page put back into the file under us does not pass.
  Result<std::vector<journal::Row>> journal_matching(const JournalQuery& query);
  Result<std::vector<journal::Row>> journal_after(std::uint64_t seq, std::int64_t limit);
  Result<std::optional<journal::Row>> last_of(journal::Kind kind);
  // The rows of one kind since a time, in order.
  Result<std::vector<journal::Row>> journal_of(journal::Kind kind, Seconds since);
  // As the table says; verify_chain() and verify_against() tell whether it is good.
  const Checkpointed& last_checkpoint() const noexcept { return checkpoint_; }
  // Walks the whole journal: journal_broken, checkpoint_invalid.
  Result<journal::Audit> verify_chain(const journal::Signer& signer = {});
  // What must hold before any row is believed: the chain is whole; it is the mirrored head, or extends it by
  // rows of which at most one changes authority; every sealed row has a good MAC and is the version that the
  // journal names last, and none is missing; every checkpoint is good. Fails with journal_broken, checkpoint_invalid,
  // state_rolled_back or state_corrupt.
  // `granted`: a signed head that came later; up to it, rows may change authority.
  Status verify_against(const journal::Head& mirrored, const journal::Signer& signer = {},
                        const std::optional<journal::Head>& granted = {});

 private:
  friend class Transaction;
  Store(Database db, std::string path, const Clock& clock) : db_(std::move(db)), path_(std::move(path)), clock_(&clock) {}
  Status migrate(bool make);
  Status check_schema(std::int64_t version);
  Status copy_before(std::int64_t version);
  Status step(std::int64_t from, std::int64_t to);
  Result<std::vector<Row>> unverified(std::string_view sql, std::initializer_list<Value> values = {});
  Result<std::set<std::string>> texts(std::string_view sql);
  Result<std::int64_t> number(std::string_view sql, std::initializer_list<Value> values = {});
  Status check_indexes();
  Status verify_rows(const journal::Head& mirrored, const journal::Signer& signer,
                     const std::optional<journal::Head>& granted);
  Result<std::vector<journal::Row>> journal_rows(std::string_view which, std::initializer_list<Value> values);
  bool newest(Table table, std::string_view id, std::int64_t version) const;
  Status load_head();
  Bytes mac(Table table, std::string_view id, std::int64_t version, std::string_view body) const;
  bool sealed_well(Table table, std::string_view id, std::int64_t version, std::string_view body, ByteView mac) const;
  Result<Row> checked(Table table, const Columns& columns) const;
  Result<std::vector<Row>> select(Table table, std::string_view sql, std::initializer_list<Value> values,
                                  std::int64_t limit = INT64_MAX, const std::function<bool(const Row&)>& wanted = {});

  // "table id" -> version, once everything was verified
  std::unordered_map<std::string, std::int64_t> versions_;
  Database db_;
  std::string path_;
  const Clock* clock_;
  SecretBytes row_key_;
  journal::Head head_;
  Checkpointed checkpoint_;
  std::uint64_t changes_ = 0;
};

}  // namespace popvault::store
