#include "ledger/purchases.hpp"

namespace popvault::ledger {
namespace {

struct Step {
  std::string_view from, to;
  Money money;
};
constexpr Step kSteps[] = {
    {"awaiting_approval", "approved", Money::stays},
    {"awaiting_approval", "denied", Money::release},
    {"awaiting_approval", "canceled", Money::release},
    {"awaiting_approval", "expired", Money::release},
    {"denied", "approved", Money::hold},
    {"approved", "filling", Money::stays},
    {"approved", "canceled", Money::release},
    {"approved", "denied", Money::release},
    {"approved", "expired", Money::release},
    {"approved", "armed", Money::stays},
    {"armed", "approved", Money::stays},
    {"armed", "filling", Money::stays},
    {"armed", "canceled", Money::release},
    {"armed", "denied", Money::release},
    {"armed", "expired", Money::release},
    {"filling", "filled", Money::debit},
    {"filling", "awaiting_owner", Money::debit},
    {"filling", "outcome_unknown", Money::stays},
    {"awaiting_owner", "settled", Money::stays},
    {"filled", "settled", Money::stays},
    {"outcome_unknown", "settled", Money::debit},
    {"outcome_unknown", "released", Money::release},
};

const Step* find(std::string_view from, std::string_view to) noexcept {
  for (const Step& step : kSteps)
    if (step.from == from && step.to == to) return &step;
  return nullptr;
}

}  // namespace

bool may_become(std::string_view from, std::string_view to) noexcept { return find(from, to) != nullptr; }

Money money_of(std::string_view from, std::string_view to) noexcept {
  const Step* const step = find(from, to);
  return step != nullptr ? step->money : Money::stays;
}

bool holds(std::string_view status) noexcept {
  return status == "awaiting_approval" || status == "approved" || status == "filling" || status == "armed" ||
         status == "outcome_unknown";
}

Errc refusal_of(std::string_view status) noexcept {
  if (status == "awaiting_approval") return Errc::not_approved;
  if (status == "expired") return Errc::purchase_expired;
  if (status == "canceled") return Errc::canceled;
  if (status == "filling" || status == "armed") return Errc::busy;
  if (status == "filled" || status == "awaiting_owner" || status == "settled" || status == "released" || status == "approved") return Errc::purchase_used;
  if (status == "outcome_unknown") return Errc::outcome_unknown;
  return Errc::denied;
}

}  // namespace popvault::ledger
