#include "session/purchase_ends.hpp"

namespace popvault {

Status move_purchase(Session& session, store::Row& row, std::string_view status, journal::Kind kind) {
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(session.book().move(tx, row, status));
  Json body;
  body.set("agent", row.body["agent"]);
  body.set("purchase", row.id);
  PV_TRY(tx.journal(kind, std::move(body)));
  return session.commit(tx);
}

namespace {

Status end_each(Session& session, const std::vector<std::string>& ids, std::string_view status, journal::Kind kind,
                const std::function<bool(const store::Row&)>& wanted, const std::function<void(const store::Row&)>& told) {
  for (const std::string& id : ids) {
    PV_ASSIGN(auto row, session.store().get(store::Table::purchases, id));
    if (!row || !wanted(*row)) continue;
    PV_TRY(move_purchase(session, *row, status, kind));
    told(*row);
  }
  return {};
}

}  // namespace

Status settle_interrupted(Session& session, const std::function<bool(const store::Row&)>& stranded,
                          const std::function<void(const store::Row&)>& told) {
  PV_TRY(end_each(session, session.book().in_state("filling"), "outcome_unknown", journal::Kind::use_unknown, stranded, told));
  return end_each(session, session.book().in_state("armed"), "approved", journal::Kind::use_disarmed, stranded, told);
}

Status expire_overdue(Session& session, const std::function<void(const store::Row&)>& told) {
  const auto all = [](const store::Row&) { return true; };
  return end_each(session, session.book().overdue(session.clock().now()), "expired", journal::Kind::purchase_expired, all, told);
}

}  // namespace popvault
