// Purchases and their money: the state machine, and the one function that moves a HOLD.
//
//   awaiting_approval -> approved | denied | canceled | expired
//   approved          -> filling | canceled | expired | denied
//   filling           -> filled | outcome_unknown
//   filled, outcome_unknown -> settled ; outcome_unknown -> released   (the owner only)
//
// Every transition is put into the caller's transaction together with its ledger row, so both are durable or
// neither. A ledger row (same id as the purchase) is hold, debit or released.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "os/clock.hpp"
#include "rpc/json.hpp"
#include "store/store.hpp"

namespace popvault::ledger {

constexpr Seconds kApprovalValid = 600;  // to be answered, and then to be used

// Is this step in the table above?
bool may_become(std::string_view from, std::string_view to) noexcept;

// The purchase becomes `status`; its hold follows: filled and settled make it a debit, every end without a
// use releases it, outcome_unknown keeps it. Another step than the table has is a typed refusal that tells the
// caller why (purchase_used, purchase_expired, ...). `purchase` is updated.
Status move_purchase(store::Store& store, store::Transaction& tx, store::Row& purchase, std::string_view status);

// deny and cancel, which may come late: a purchase that has ended already stays as it is.
Status give_up(store::Store& store, store::Transaction& tx, store::Row& purchase, std::string_view status);

// What stands against a fill or an approval of a purchase that is not in the wanted state.
Errc refusal_of(std::string_view status) noexcept;

// What is held or spent by an agent since a time, in one currency, without one purchase.
Result<std::int64_t> spent_since(store::Store& store, std::string_view agent, Seconds since,
                                 std::string_view currency, std::string_view except);

}  // namespace popvault::ledger
