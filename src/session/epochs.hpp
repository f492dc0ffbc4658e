// Epochs: keys that die on schedule (DESIGN 3.2).
//
// A row of the table `epochs` per epoch: live (the current one), draining (records still point to it, each moves at its
// next use or when the sweep comes, at the latest before the deadline) or destroyed (its key has left vault.enc). A
// record whose blob cannot be read is never dropped: it stays where it is and keeps its epoch from being destroyed.
// All of this needs the vault unlocked. The loop's thread.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "session/session.hpp"

namespace popvault {

constexpr Seconds kEpochLife = 7 * 24 * 3600;    // then a new one begins
constexpr Seconds kDrainTime = 14 * 24 * 3600;   // from then on an old one must be empty
constexpr Seconds kSweepAhead = 3 * 24 * 3600;   // the sweep comes so long before that
constexpr Seconds kOrphanTime = 30 * 24 * 3600;
constexpr std::size_t kMostDraining = 8;         // with more of them the sweep comes at once

// The row of an epoch that begins now.
store::Row new_epoch(std::int64_t number, Seconds now);

// After an unlock: rows and keys agree again, whatever was cut off, and a vault of schema 1 gets its rows.
Status reconcile_epochs(Session& session);

// A new current epoch; the one before it drains. `reason` is for the journal: owner, schedule, agent_revoked.
Status rotate(Session& session, std::string_view reason);
Result<bool> rotation_due(Session& session);
// Whether an agent that could use a record was revoked since the last rotation: the journal tells, so a cut-off
// between the two is made good.
Result<bool> revoked_since_rotation(Session& session);

// Seals these records anew under the current epoch's key, in one transaction; those already there are left alone.
Status rewrap(Session& session, const std::vector<store::Row>& records);

// One step of the sweep: at most `limit` records move, those in `damaged` are passed over and new ones put in.
// Gives how many moved. When nothing is left to move, what is drained is destroyed.
Result<std::size_t> sweep(Session& session, std::int64_t limit, std::set<std::string>& damaged);
// Whether a draining epoch's deadline is near, or too many drain.
Result<bool> sweep_due(Session& session);
// Drops the key of one epoch. epoch_in_use while a record points to it; not_found for the current one.
Status destroy_epoch(Session& session, std::int64_t epoch);
// Of every draining epoch that no record points to.
Status destroy_drained(Session& session);

// Blobs that no record points to: what a killed writer left, and old versions. Those of dead epochs and of shredded records at once,
// others after kOrphanTime, and none while a record misses its blob. Needs a verified state.db.
Result<std::size_t> remove_orphans(Session& session);

// {current, due_at, overdue, epochs: [...]}; while locked as the rows say, unverified.
Result<Json> epochs_to_json(Session& session);

}  // namespace popvault
