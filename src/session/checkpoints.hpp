// Checkpoints of an unlocked vault's journal (docs/JOURNAL_FORMAT.md): when there is one, and writing it.
//
// At each lock, at an unlock when rows were written while locked or the last one is a day old, and between: after
// each 256 rows and each day that has rows, by keep_checkpoints(), which the housekeeping and the loop call. What else
// is committed never carries one, but for lock, unlock and an export. The loop's thread.
#pragma once

#include <cstdint>

#include "journal/audit.hpp"
#include "session/session.hpp"

namespace popvault {

constexpr std::uint64_t kCheckpointRows = 256;
constexpr Seconds kCheckpointTime = 24 * 3600;

// The last row of a transaction: a checkpoint of all before it. The vault is unlocked or granted.
Status append_checkpoint(Session& session, store::Transaction& tx);
// Whether rows enough, or old enough, stand behind the last one. Looks at nothing but memory.
bool checkpoint_due(Session& session);
// Writes one when it is due and the vault is unlocked or granted: one commit.
Status keep_checkpoints(Session& session);

// Whose checkpoints are good here: the vault's own while its keys are there or were since the start, else (no key)
// those that name the key they are good under.
journal::Signer journal_signer(Session& session);

}  // namespace popvault
