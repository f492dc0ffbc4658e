#include "session/purchase_ends.hpp"

#include "ledger/purchases.hpp"

namespace popvault {
namespace {

Status end_one(Session& session, store::Row& row, std::string_view status, journal::Kind kind) {
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(ledger::move_purchase(session.store(), tx, row, status));
  Json body;
  body.set("purchase", row.id);
  PV_TRY(tx.journal(kind, std::move(body)));
  return session.commit(tx);
}

}  // namespace

Status settle_interrupted(Session& session, const std::function<bool(const store::Row&)>& stranded,
                          const std::function<void(const store::Row&)>& told) {
  PV_ASSIGN(auto cut_off, session.store().purchases_with_status("filling"));
  for (store::Row& row : cut_off) {
    if (!stranded(row)) continue;
    PV_TRY(end_one(session, row, "outcome_unknown", journal::Kind::use_unknown));
    told(row);
  }
  return {};
}

Status expire_overdue(Session& session, const std::function<void(const store::Row&)>& told) {
  for (const char* status : {"awaiting_approval", "approved"}) {
    PV_ASSIGN(auto rows, session.store().purchases_with_status(status));
    for (store::Row& row : rows) {
      if (row.body["expires_at"].int_or(0) > session.clock().now()) continue;
      PV_TRY(end_one(session, row, "expired", journal::Kind::purchase_expired));
      told(row);
    }
  }
  return {};
}

}  // namespace popvault
