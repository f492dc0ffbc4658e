// Purchases: the state machine of one, as a table. Pure.
//
//   awaiting_approval -> approved | denied | canceled | expired
//   denied            -> approved                     (forced by the owner, if the policy had denied it)
//   approved          -> armed | filling | canceled | expired | denied
//   armed             -> approved | filling | canceled | expired | denied      (nothing secret has moved yet)
//   filling           -> filled | awaiting_owner | outcome_unknown
//   filled, awaiting_owner, outcome_unknown -> settled ; outcome_unknown -> released   (the owner only)
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "os/clock.hpp"

namespace popvault::ledger {

constexpr Seconds kApprovalValid = 600;  // to be answered, and then to be used

// What a step does to the purchase's money.
enum class Money : std::uint8_t { stays = 0, hold, debit, release };

// Is this step in the table above?
bool may_become(std::string_view from, std::string_view to) noexcept;
// Of a step that is: a HOLD becomes DEBIT when it is filled, RELEASE at every end before a secret byte left.
Money money_of(std::string_view from, std::string_view to) noexcept;
// Whether its HOLD stands.
bool holds(std::string_view status) noexcept;

// What stands against a fill or an approval of a purchase that is not in the wanted state.
Errc refusal_of(std::string_view status) noexcept;

}  // namespace popvault::ledger
