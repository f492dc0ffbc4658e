// Records after they were added: edited, moved to the trash and back, shredded, revealed to their owner.
//
// All of this needs the vault unlocked. The loop's thread.
#pragma once

#include <optional>
#include <string>

#include "session/records.hpp"

namespace popvault {

constexpr Seconds kTrashTime = 30 * 24 * 3600;
constexpr std::int64_t kMostReveals = 3;  // in an hour
constexpr Seconds kRevealWindow = 3600;

// The fields in `changes` replace those of the same name, an empty one takes an optional field away; a new label if
// there is one. The record gets a new version and a blob under the current epoch's key.
Result<MaskedView> edit_record(Session& session, const store::Row& record, const std::optional<std::string>& label,
                               const SecretFields& changes);

// Out of sight and use; untrash_record() takes it back until it is shredded.
Status trash_record(Session& session, store::Row record);
Result<MaskedView> untrash_record(Session& session, store::Row record);
// Its row says so first, then its blob is removed. Copies of the blob open until its epoch is destroyed.
Status shred_record(Session& session, store::Row record);
// Those whose time in the trash is over, a few at a time. Gives how many.
Result<std::size_t> shred_overdue(Session& session);

struct Revealed {
  SecretFields fields;
  std::int64_t left = 0;  // in this hour
};
// Counted in the journal, so a restart forgets nothing. The one too many is rate_limited and tells when the next may be.
Result<Revealed> reveal_record(Session& session, const store::Row& record);

}  // namespace popvault
