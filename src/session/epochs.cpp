#include "session/epochs.hpp"

#include <algorithm>
#include <map>

#include "crypto/digest.hpp"
#include "log/log.hpp"
#include "session/records.hpp"
#include "vault/blob.hpp"

namespace popvault {
namespace {

constexpr Seconds kClockSlack = 3600;

std::int64_t number_of(const store::Row& epoch) { return std::strtoll(epoch.id.c_str(), nullptr, 10); }
std::string status_of(const store::Row& epoch) { return epoch.body["status"].text_or(""); }

void begin_draining(store::Row& epoch, Seconds now) {
  epoch.body.set("deadline", now + kDrainTime);
  epoch.body.set("status", "draining");
}

Result<std::vector<store::Row>> rows_of(Session& session) {
  if (session.state() != State::unlocked) return session.store().unverified_epochs();
  PV_ASSIGN(auto rows, session.store().all(store::Table::epochs));
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return number_of(a) < number_of(b); });
  return rows;
}

// Keys of a vault that knew no epoch rows.
Status adopt_epochs(Session& session, const std::vector<store::Row>& rows) {
  std::vector<store::Row> missing;
  for (const std::uint32_t epoch : session.keys().epochs()) {
    const auto known = [&](const store::Row& row) { return number_of(row) == epoch; };
    if (std::any_of(rows.begin(), rows.end(), known)) continue;
    missing.push_back(new_epoch(epoch, session.clock().now()));
    if (epoch != session.keys().current_epoch()) begin_draining(missing.back(), session.clock().now());
  }
  if (missing.empty()) return {};
  PV_ASSIGN(auto tx, session.begin());
  for (const store::Row& row : missing) PV_TRY(tx.put(store::Table::epochs, row));
  Json body;
  body.set("epochs", static_cast<std::int64_t>(missing.size()));
  PV_TRY(tx.journal(journal::Kind::schema_migrated, std::move(body)));
  return session.commit(tx);
}

// The folders of blobs, one per kind.
Result<std::vector<std::string>> kinds_of(Session& session) {
  return list_dir(session.fs(), session.home() + "/blobs");
}

std::string folder_of(const Session& session, std::string_view kind, std::int64_t epoch) {
  return session.home() + "/blobs/" + std::string(kind) + "/" + std::to_string(epoch);
}

// What is left of a destroyed epoch: ciphertext that nothing opens any more.
Status remove_blobs_of(Session& session, std::int64_t epoch) {
  PV_ASSIGN(const auto kinds, kinds_of(session));
  for (const std::string& kind : kinds) {
    PV_ASSIGN(const auto blobs, list_blobs(session.fs(), session.home(), kind, static_cast<std::uint32_t>(epoch)));
    for (const std::string& blob : blobs)
      PV_TRY(remove_blob(session.fs(), session.home(), kind, static_cast<std::uint32_t>(epoch), blob));
    (void)session.fs().rmdir(folder_of(session, kind, epoch));
  }
  return {};
}

// A record on its way to the current epoch: the new blob is on disk.
struct Moved {
  store::Row row;
  BlobPlace old_place;
  std::string old_blob;
};

Result<Moved> seal_anew(Session& session, const store::Row& record) {
  Moved out{record, place_of(record), record.body["blob"].text_or("")};
  BlobPlace place = out.old_place;
  place.epoch = session.keys().current_epoch();
  PV_ASSIGN(const Bytes blob, read_record_blob(session, record));
  PV_ASSIGN(const SecretFields fields, open_record(session.keys(), out.old_place, blob));
  PV_ASSIGN(const Bytes sealed, seal_record(session.keys(), place, fields));
  const std::string blob_id = new_blob_id();
  PV_TRY(write_blob(session.fs(), session.home(), place.kind, place.epoch, blob_id, sealed));
  out.row.body.set("blob", blob_id);
  out.row.body.set("epoch", static_cast<std::int64_t>(place.epoch));
  out.row.body.set("sha256", crypto::sha256(sealed).hex());
  return out;
}

// The row that says why is on disk and mirrored before anything is unwrapped.
Status journal_opened(Session& session, const std::vector<store::Row>& records) {
  Json::Array ids;
  for (const store::Row& record : records) ids.push_back(record.id);
  Json body;
  body.set("records", std::move(ids));
  body.set("why", "rotation");
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.journal(journal::Kind::record_opened, std::move(body)));
  return session.commit(tx);
}

Status commit_moved(Session& session, const std::vector<Moved>& moved) {
  PV_ASSIGN(auto tx, session.begin());
  Json::Array ids;
  for (const Moved& m : moved) {
    PV_TRY(tx.put(store::Table::records, m.row));
    ids.push_back(m.row.id);
  }
  Json body;
  body.set("epoch", static_cast<std::int64_t>(session.keys().current_epoch()));
  body.set("records", std::move(ids));
  PV_TRY(tx.journal(journal::Kind::record_rewrapped, std::move(body)));
  return session.commit(tx);
}

Status place_moved(Session& session, const std::vector<Moved>& moved) {
  if (moved.empty()) return {};
  const std::uint64_t before = session.store().head().seq;
  const Status committed = commit_moved(session, moved);
  // The rows decide which blobs are in use, also when only vault.enc could not be written.
  const bool stands = session.store().head().seq != before;
  if (!stands && !surely_undone(committed.error())) return committed;
  for (const Moved& m : moved) {
    const BlobPlace now = place_of(m.row);
    const Status removed =
        stands ? remove_blob(session.fs(), session.home(), m.old_place.kind, m.old_place.epoch, m.old_blob)
               : remove_blob(session.fs(), session.home(), now.kind, now.epoch, m.row.body["blob"].text_or(""));
    if (!removed) log_warning("an old blob stays for now: " + removed.error().message());
  }
  return committed;
}

bool is_damage(Errc code) { return code == Errc::state_corrupt || code == Errc::wrong_key || code == Errc::vault_corrupt || code == Errc::insecure_file; }

}  // namespace

namespace {
// Records are not moved to another key under a grant.
bool granted(const Session& session, std::string_view record) {
  return session.grants().uses(record, session.clock().now());
}
}  // namespace

store::Row new_epoch(std::int64_t number, Seconds now) {
  store::Row row{std::to_string(number), 0, {}};
  row.body.set("begun_at", now);
  row.body.set("status", "live");
  return row;
}

Status reconcile_epochs(Session& session) {
  PV_ASSIGN(const auto rows, rows_of(session));
  PV_TRY(adopt_epochs(session, rows));
  std::vector<std::uint32_t> begun;  // its row was written, and then the power failed
  std::vector<std::uint32_t> ended;
  for (const store::Row& row : rows) {
    const auto epoch = static_cast<std::uint32_t>(number_of(row));
    PV_ASSIGN(const std::int64_t records, session.store().count_in_epoch(epoch));
    const bool has_key = session.keys().has_epoch(epoch);
    if (status_of(row) == "live" && !has_key && epoch > session.keys().current_epoch() && records == 0)
      begun.push_back(epoch);
    if (status_of(row) == "destroyed" && has_key && records == 0) ended.push_back(epoch);
  }
  if (!begun.empty() || !ended.empty()) {
    PV_ASSIGN(auto tx, session.begin());
    PV_TRY(session.commit(tx, [&](Keyring& keys) {
      for (const std::uint32_t epoch : begun) keys.ensure_epoch(epoch);
      for (const std::uint32_t epoch : ended) keys.destroy_epoch(epoch);
    }));
  }
  for (const std::uint32_t epoch : ended) PV_TRY(remove_blobs_of(session, epoch));
  return {};
}

Status rotate(Session& session, std::string_view reason) {
  const Seconds now = session.clock().now();
  PV_ASSIGN(auto rows, rows_of(session));
  PV_ASSIGN(auto tx, session.begin());
  for (store::Row& row : rows) {
    if (status_of(row) != "live") continue;
    begin_draining(row, now);
    PV_TRY(tx.put(store::Table::epochs, row));
  }
  const std::int64_t next = std::int64_t{session.keys().current_epoch()} + 1;
  PV_TRY(tx.put(store::Table::epochs, new_epoch(next, now)));
  Json body;
  body.set("epoch", next);
  body.set("reason", reason);
  PV_TRY(tx.journal(journal::Kind::epoch_rotated, std::move(body)));
  PV_TRY(session.commit(tx, [](Keyring& keys) { keys.begin_epoch(); }));
  // The rotation is done, whatever becomes of this.
  if (const Status destroyed = destroy_drained(session); !destroyed) log_warning("destroying drained epochs: " + destroyed.error().message());
  return {};
}

Result<bool> rotation_due(Session& session) {
  PV_ASSIGN(const auto rows, rows_of(session));
  for (const store::Row& row : rows)
    if (status_of(row) == "live") {
      const Seconds begun = row.body["begun_at"].int_or(0);
      // One that begins in the future was begun by a wrong clock.
      return begun + kEpochLife <= session.clock().now() || begun > session.clock().now() + kClockSlack;
    }
  return false;
}

Result<bool> revoked_since_rotation(Session& session) {
  PV_ASSIGN(const auto rotated, session.store().last_of(journal::Kind::epoch_rotated));
  for (const journal::Kind kind : {journal::Kind::agent_revoked, journal::Kind::narrowings_applied}) {
    PV_ASSIGN(const auto row, session.store().last_of(kind));
    if (!row || (rotated && rotated->seq > row->seq)) continue;
    PV_ASSIGN(const Json body, Json::parse(row->body));
    if (!body[kind == journal::Kind::agent_revoked ? "rotates" : "revoked"].bool_or(false)) continue;
    PV_ASSIGN(const std::int64_t records, session.store().count_records());
    return records > 0;
  }
  return false;
}

Status rewrap(Session& session, const std::vector<store::Row>& records) {
  std::vector<Moved> moved;
  for (const store::Row& record : records) {
    if (place_of(record).epoch == session.keys().current_epoch() || granted(session, record.id)) continue;
    PV_ASSIGN(Moved one, seal_anew(session, record));
    moved.push_back(std::move(one));
  }
  PV_TRY(place_moved(session, moved));
  if (moved.empty()) return {};
  const Status destroyed = destroy_drained(session);
  if (destroyed) return {};
  return fail(destroyed.error().code, "it is done, but a drained epoch stays for now: " + destroyed.error().detail);
}

Result<std::size_t> sweep(Session& session, std::int64_t limit, std::set<std::string>& damaged) {
  std::set<std::string> except = damaged;
  session.grants().each([&](const Grant& grant) {
    for (const auto& entry : grant.records) except.insert(entry.first);
  });
  PV_ASSIGN(const auto records, session.store().records_before_epoch(session.keys().current_epoch(), limit, except));
  if (!records.empty()) PV_TRY(journal_opened(session, records));
  std::vector<Moved> moved;
  for (const store::Row& record : records) {
    auto one = seal_anew(session, record);
    if (one) {
      moved.push_back(std::move(*one));
    } else if (is_damage(one.error().code)) {
      damaged.insert(record.id);
      log_warning("the sweep leaves " + record.id + " where it is: " + one.error().message());
    } else {
      PV_TRY(place_moved(session, moved));
      return tl::unexpected(one.error());
    }
  }
  PV_TRY(place_moved(session, moved));
  if (moved.empty() && records.empty()) PV_TRY(destroy_drained(session));
  return records.size();
}

Result<bool> sweep_due(Session& session) {
  PV_ASSIGN(const auto rows, rows_of(session));
  std::size_t draining = 0;
  bool near = false;
  for (const store::Row& row : rows) {
    if (status_of(row) != "draining") continue;
    ++draining;
    const Seconds left = row.body["deadline"].int_or(0) - session.clock().now();
    near = near || left <= kSweepAhead || left > kDrainTime + kClockSlack;
  }
  return near || draining > kMostDraining;
}

Status destroy_epoch(Session& session, std::int64_t epoch) {
  PV_ASSIGN(auto row, session.store().get(store::Table::epochs, std::to_string(epoch)));
  if (!row || status_of(*row) != "draining") return fail(Errc::not_found, "a draining epoch of this number");
  PV_ASSIGN(const std::int64_t records, session.store().count_in_epoch(epoch));
  if (records != 0) return fail(Errc::epoch_in_use, std::to_string(records) + " in epoch " + std::to_string(epoch));
  PV_ASSIGN(auto tx, session.begin());
  Json body;
  body.set("epoch", epoch);
  PV_TRY(tx.journal(journal::Kind::epoch_drained, body));
  row->body.set("destroyed_at", session.clock().now());
  row->body.set("status", "destroyed");
  PV_TRY(tx.put(store::Table::epochs, *row));
  PV_TRY(tx.journal(journal::Kind::epoch_destroyed, std::move(body)));
  PV_TRY(session.commit(tx, [epoch](Keyring& keys) { keys.destroy_epoch(static_cast<std::uint32_t>(epoch)); }));
  return remove_blobs_of(session, epoch);
}

Status destroy_drained(Session& session) {
  PV_ASSIGN(const auto rows, rows_of(session));
  for (const store::Row& row : rows) {
    if (status_of(row) != "draining") continue;
    PV_ASSIGN(const std::int64_t records, session.store().count_in_epoch(number_of(row)));
    if (records == 0) PV_TRY(destroy_epoch(session, number_of(row)));
  }
  return {};
}

namespace {

// Whether what no record names may go. Of an epoch before today's without a key, nothing opens it. Else only after a
// month: when older files were put back by mistake, the blobs of today are among these.
bool may_go(Session& session, const std::string& path, std::uint32_t epoch) {
  if (epoch < session.keys().current_epoch() && !session.keys().has_epoch(epoch)) return true;
  FileStat st;
  return session.fs().stat_path(path, st) == 0 && st.modified + kOrphanTime < session.clock().now();
}

}  // namespace

Result<std::size_t> remove_orphans(Session& session) {
  PV_ASSIGN(const auto used, session.store().blobs_in_use());
  PV_ASSIGN(const auto shredded, session.store().shredded_blobs());
  std::vector<std::pair<BlobPlace, std::string>> orphans;
  std::size_t found = 0;
  PV_ASSIGN(const auto kinds, kinds_of(session));
  for (const std::string& kind : kinds) {
    PV_ASSIGN(const auto folders, list_dir(session.fs(), session.home() + "/blobs/" + kind));
    for (const std::string& folder : folders) {
      const long epoch = std::strtol(folder.c_str(), nullptr, 10);
      if (epoch <= 0 || std::to_string(epoch) != folder) continue;
      const auto number = static_cast<std::uint32_t>(epoch);
      PV_ASSIGN(const auto blobs, list_blobs(session.fs(), session.home(), kind, number));
      for (const std::string& blob : blobs) {
        if (used.contains(blob))
          ++found;
        else if (shredded.contains(blob) || may_go(session, folder_of(session, kind, epoch) + "/" + blob + ".enc", number))
          orphans.push_back({{number, {}, kind, 0}, blob});
      }
    }
  }
  // Records without their blob: something is wrong with these files, and nothing is thrown away.
  if (found < used.size()) return 0;
  for (const auto& [place, blob] : orphans) {
    PV_TRY(remove_blob(session.fs(), session.home(), place.kind, place.epoch, blob));
    if (!session.keys().has_epoch(place.epoch)) (void)session.fs().rmdir(folder_of(session, place.kind, place.epoch));
  }
  return orphans.size();
}

Result<Json> epochs_to_json(Session& session) {
  PV_ASSIGN(const auto rows, rows_of(session));
  const auto time = [](const Json& value) { return value.is_null() ? Json() : Json(rfc3339(value.int_or(0))); };
  Json::Array list;
  Json current, due_at;
  bool overdue = false;
  for (const store::Row& row : rows) {
    PV_ASSIGN(const std::int64_t records, session.store().count_in_epoch(number_of(row)));
    Json item;
    item.set("begun_at", time(row.body["begun_at"]));
    item.set("deadline", time(row.body["deadline"]));
    item.set("destroyed_at", time(row.body["destroyed_at"]));
    item.set("epoch", number_of(row));
    item.set("records", records);
    item.set("status", status_of(row));
    const Seconds now = session.clock().now();
    if (status_of(row) == "live") {
      const Seconds due = row.body["begun_at"].int_or(0) + kEpochLife;
      current = item["epoch"];
      due_at = Json(rfc3339(due));
      overdue = overdue || due <= now;
    }
    if (status_of(row) == "draining" && row.body["deadline"].int_or(0) <= now) overdue = true;
    list.push_back(std::move(item));
  }
  Json out;
  out.set("current", std::move(current));
  out.set("due_at", std::move(due_at));
  out.set("epochs", std::move(list));
  out.set("overdue", overdue);
  return out;
}

}  // namespace popvault
