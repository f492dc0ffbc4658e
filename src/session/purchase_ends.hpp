// Moving a purchase, and purchases that end by themselves: those whose filling was cut off, and those whose time is over.
// Needs the vault unlocked or a live grant. The loop's thread.
#pragma once

#include <functional>

#include "session/session.hpp"

namespace popvault {

// A purchase becomes `status`, in one transaction with its journal row {agent, purchase}. `purchase` is updated.
Status move_purchase(Session& session, store::Row& purchase, std::string_view status, journal::Kind kind);

// Purchases whose filling was cut off (`stranded` says which of those in that state) become outcome_unknown; armed
// ones that nobody waits for, approved again: nothing secret has moved.
Status settle_interrupted(Session& session, const std::function<bool(const store::Row&)>& stranded,
                          const std::function<void(const store::Row&)>& told);
// Those whose time is over; `told` is called for each.
Status expire_overdue(Session& session, const std::function<void(const store::Row&)>& told);

}  // namespace popvault
