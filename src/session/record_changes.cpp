#include "session/record_changes.hpp"

#include "crypto/digest.hpp"
#include "session/epochs.hpp"
#include "log/log.hpp"
#include "vault/record_kinds.hpp"

namespace popvault {
namespace {

constexpr std::int64_t kShredAtOnce = 32;
constexpr Seconds kDueFor = 24 * 3600;

// The row that says why is on disk and mirrored before the record is unwrapped.
Status journal_first(Session& session, journal::Kind kind, const store::Row& record, std::string_view why) {
  Json body;
  body.set("record", record.id);
  if (!why.empty()) body.set("why", why);
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.journal(kind, std::move(body)));
  return session.commit(tx);
}

Result<SecretFields> open_fields(Session& session, const store::Row& record) {
  PV_ASSIGN(const Bytes blob, read_record_blob(session, record));
  return open_record(session.keys(), place_of(record), blob);
}

Status put_row(Session& session, const store::Row& row, journal::Kind kind) {
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::records, row));
  Json body;
  body.set("record", row.id);
  PV_TRY(tx.journal(kind, std::move(body)));
  return session.commit(tx);
}

Status remove_blob_of(Session& session, const BlobPlace& place, const std::string& blob) {
  const Status removed = remove_blob(session.fs(), session.home(), place.kind, place.epoch, blob);
  if (!removed) log_warning("a blob that is used no more stays for now: " + removed.error().message());
  return removed;
}

Status end_drained(Session& session) {
  const Status ended = destroy_drained(session);
  if (ended) return {};
  return fail(ended.error().code, "it is done, but a drained epoch stays for now: " + ended.error().detail);
}

}  // namespace

Result<MaskedView> edit_record(Session& session, const store::Row& record, const std::optional<std::string>& label,
                               const SecretFields& changes) {
  if (session.grants().uses(record.id, session.clock().now())) return fail(Errc::record_granted);
  const std::string kind = record.body["kind"].text_or("");
  PV_ASSIGN(const MaskedView before, view_of(session, record));
  PV_ASSIGN(const std::string new_label, checked_label(label ? *label : before.label));
  PV_TRY(journal_first(session, journal::Kind::record_opened, record, "edit"));
  PV_ASSIGN(SecretFields fields, open_fields(session, record));
  PV_TRY(change_record(kind, fields, changes));

  store::Row next = record;
  PV_ASSIGN(const SealedRecord sealed, seal_into_row(session, next, new_label, fields));
  const std::uint64_t head = session.store().head().seq;
  const Status stored = put_row(session, next, journal::Kind::record_edited);
  const bool stands = session.store().head().seq != head;
  const BlobPlace place = stands ? place_of(record) : place_of(next);
  if (stands || surely_undone(stored.error()))
    (void)remove_blob_of(session, place, stands ? record.body["blob"].text_or("") : sealed.blob);
  PV_TRY(stored);
  PV_TRY(end_drained(session));
  return view_of(session, next);
}

Status trash_record(Session& session, store::Row record) {
  record.body.set("trashed_at", session.clock().now());
  return put_row(session, record, journal::Kind::record_trashed);
}

Result<MaskedView> untrash_record(Session& session, store::Row record) {
  record.body.erase("trashed_at");
  record.body.erase("due_at");
  PV_TRY(put_row(session, record, journal::Kind::record_untrashed));
  return view_of(session, record);
}

Status shred_record(Session& session, store::Row record) {
  const BlobPlace place = place_of(record);
  const std::string blob = record.body["blob"].text_or("");
  Json gone;
  gone.set("deleted", true);
  gone.set("kind", place.kind);
  gone.set("shredded_at", session.clock().now());
  gone.set("shredded_blob", blob);  // if it could not be removed now, remove_orphans knows that it may go
  record.body = std::move(gone);
  PV_TRY(put_row(session, record, journal::Kind::record_shredded));
  if (const Status removed = remove_blob_of(session, place, blob); !removed)
    return fail(removed.error().code, "it is done, but its blob stays until the next unlock: " + removed.error().detail);
  return end_drained(session);
}

Result<std::size_t> shred_overdue(Session& session) {
  const Seconds now = session.clock().now();
  PV_ASSIGN(const auto records, session.store().trashed_before(now - kTrashTime, kShredAtOnce));
  std::size_t shredded = 0;
  for (store::Row record : records) {
    const Seconds due = record.body["due_at"].int_or(0);
    // Seen to be due, and a day later still: a clock that was wrong for one unlock destroys nothing.
    if (due > 0 && due <= now) {
      if (now - due < kDueFor) continue;
      PV_TRY(shred_record(session, std::move(record)));
      ++shredded;
    } else {
      record.body.set("due_at", now);
      PV_TRY(put_row(session, record, journal::Kind::record_trashed));
    }
  }
  return shredded;
}

Result<Revealed> reveal_record(Session& session, const store::Row& record) {
  const Seconds now = session.clock().now();
  PV_ASSIGN(auto earlier, session.store().journal_of(journal::Kind::record_revealed, now - kRevealWindow + 1));
  // Those of a clock that was ahead do not shut the owner out until it is there.
  std::erase_if(earlier, [&](const journal::Row& row) { return row.at > now; });
  const auto count = static_cast<std::int64_t>(earlier.size());
  if (count >= kMostReveals) {
    const Seconds next = earlier[earlier.size() - static_cast<std::size_t>(kMostReveals)].at + kRevealWindow;
    return fail(Errc::rate_limited, std::to_string(kMostReveals) + " reveals in an hour; the next at " + rfc3339(next));
  }
  PV_TRY(read_record_blob(session, record));  // a damaged record is told before it counts
  PV_TRY(journal_first(session, journal::Kind::record_revealed, record, {}));
  PV_ASSIGN(SecretFields fields, open_fields(session, record));
  if (const Status moved = rewrap(session, {record}); !moved) log_warning("re-encrypting " + record.id + ": " + moved.error().message());
  return Revealed{std::move(fields), kMostReveals - count - 1};
}

}  // namespace popvault
