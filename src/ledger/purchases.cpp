#include "ledger/purchases.hpp"

#include <algorithm>

namespace popvault::ledger {
namespace {

struct Step {
  std::string_view from, to;
};
constexpr Step kSteps[] = {
    {"awaiting_approval", "approved"}, {"awaiting_approval", "denied"},  {"awaiting_approval", "canceled"},
    {"awaiting_approval", "expired"},  {"approved", "filling"},          {"approved", "canceled"},
    {"approved", "denied"},            {"approved", "expired"},          {"filling", "filled"},
    {"filling", "outcome_unknown"},    {"filled", "settled"},            {"outcome_unknown", "settled"},
    {"outcome_unknown", "released"},
};

// What becomes of the hold; empty: it stays.
std::string_view ledger_state(std::string_view status) {
  if (status == "filled" || status == "settled") return "debit";
  if (status == "denied" || status == "canceled" || status == "expired" || status == "released") return "released";
  return {};
}

Status move_money(store::Store& store, store::Transaction& tx, std::string_view purchase, std::string_view state,
                  Seconds now_is) {
  PV_ASSIGN(auto row, store.get(store::Table::ledger, purchase));
  if (!row) return fail(Errc::state_corrupt, "a purchase without its hold");
  const std::string now = row->body["state"].text_or("");
  if (now == state) return {};
  if (now != "hold") return fail(Errc::state_corrupt, "a hold was used twice");
  row->body.set("state", std::string(state));
  // Spent when it was spent, not when it was asked for.
  if (state == "debit") row->body.set("at", now_is);
  return tx.put(store::Table::ledger, *row);
}

}  // namespace

bool may_become(std::string_view from, std::string_view to) noexcept {
  return std::any_of(std::begin(kSteps), std::end(kSteps), [&](const Step& s) { return s.from == from && s.to == to; });
}

Errc refusal_of(std::string_view status) noexcept {
  if (status == "awaiting_approval") return Errc::not_approved;
  if (status == "expired") return Errc::purchase_expired;
  if (status == "canceled") return Errc::canceled;
  if (status == "filling") return Errc::busy;
  if (status == "filled" || status == "settled" || status == "released" || status == "approved") return Errc::purchase_used;
  if (status == "outcome_unknown") return Errc::outcome_unknown;
  return Errc::denied;
}

Status move_purchase(store::Store& store, store::Transaction& tx, store::Row& purchase, std::string_view status) {
  const std::string from = purchase.body["status"].text_or("");
  if (!may_become(from, status)) {
    const bool by_owner_later = status == "settled" || status == "released";
    return fail(by_owner_later || (from == "approved" && status == "approved") ? Errc::wrong_status : refusal_of(from));
  }
  purchase.body.set("status", std::string(status));
  PV_TRY(tx.put(store::Table::purchases, purchase));
  ++purchase.version;
  const std::string_view money = ledger_state(status);
  return money.empty() ? Status{} : move_money(store, tx, purchase.id, money, store.clock().now());
}

Status give_up(store::Store& store, store::Transaction& tx, store::Row& purchase, std::string_view status) {
  if (!may_become(purchase.body["status"].text_or(""), status)) return {};
  if (status == "denied") purchase.body.set("reason", "denied");
  return move_purchase(store, tx, purchase, status);
}

Result<std::int64_t> spent_since(store::Store& store, std::string_view agent, Seconds since,
                                 std::string_view currency, std::string_view except) {
  // A hold counts until it is settled or released, however old it is.
  PV_ASSIGN(const auto rows, store.ledger_counting(agent, since));
  std::int64_t sum = 0;
  for (const store::Row& row : rows) {
    if (row.id == except || row.body["currency"].text_or("") != currency) continue;
    if (row.body["state"].text_or("hold") != "released") sum += row.body["amount_minor"].int_or(0);
  }
  return sum;
}

}  // namespace popvault::ledger
