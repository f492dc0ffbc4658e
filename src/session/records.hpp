// Records: pointer rows in state.db, blobs beside it, and the masked views that leave.
#pragma once

#include <string>

#include "session/session.hpp"
#include "secret/bundle.hpp"
#include "vault/blob.hpp"
#include "vault/masked_view.hpp"

namespace popvault {

// Adds one. `fields` are checked and normalised; the blob is on disk before the row that points to it.
Result<MaskedView> add_record(Session& session, const std::string& kind, const std::string& label,
                              SecretFields fields);

// A record's fields as a new version under the current epoch's key: the blob is written, the row is changed and still
// to be put. `row` has its id, kind and (unless it is new) version.
struct SealedRecord {
  BlobPlace place;
  std::string blob;
};
Result<SealedRecord> seal_into_row(Session& session, store::Row& row, const std::string& label,
                                   const SecretFields& fields);

// By id or alias; not_found when there is none. The first finds what is in the trash too.
Result<store::Row> find_kept_record(Session& session, std::string_view id_or_alias);
bool in_trash(const store::Row& record);
Result<store::Row> find_record(Session& session, std::string_view id_or_alias);
Result<MaskedView> view_of(Session& session, const store::Row& record);
Json to_json(const MaskedView& view);
// The views of the records that `wanted` accepts, in the order of ids, from after `cursor`, and the next cursor.
Result<Json> list_records(Session& session, std::string_view member, std::string_view kind, std::string_view cursor,
                          std::int64_t limit, const std::function<bool(const store::Row&)>& wanted);

// Whether a commit that failed cannot come back to life: one whose log was written and could not be synced stands after
// a crash. The blob that its row points to is left then; remove_orphans takes it when nothing points to it.
inline bool surely_undone(const Error& error) noexcept { return error.code != Errc::io_error; }

// The blob that a pointer names, checked against its SHA-256. Ciphertext.
Result<Bytes> read_record_blob(Session& session, const store::Row& record);
BlobPlace place_of(const store::Row& record);

}  // namespace popvault
