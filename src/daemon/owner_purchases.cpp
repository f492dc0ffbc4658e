// owner.sock: purchases.

#include "ledger/purchases.hpp"

#include <algorithm>

#include "base/money.hpp"
#include "daemon/gate.hpp"
#include "daemon/handlers.hpp"
#include "session/records.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr std::size_t kListBytes = 512 * 1024;  // a reply's list ends here; clients take up to 1 MiB

Result<Json> purchase_for_owner(Session& session, const store::Row& row) {
  PV_ASSIGN(Json out, purchase_view(session, row));
  const Json& body = row.body;
  PV_ASSIGN(const auto agent, session.store().get(store::Table::agents, body["agent"].text_or("")));
  out.set("agent", body["agent"]);
  out.set("agent_name", agent ? agent->body["name"] : Json());
  const auto currency = Currency::parse(body["currency"].text_or(""));
  if (currency) out.set("amount", format_amount(body["amount_minor"].int_or(0), *currency));
  out.set("amount_minor", body["amount_minor"]);
  for (const char* name : {"currency", "executable", "merchant", "page_url", "strength", "text"}) out.set(name, body[name]);
  out.set("requested_at", rfc3339(body["requested_at"].int_or(0)));
  return out;
}

Json short_purchase(const store::Row& row) {
  Json out;
  out.set("purchase", row.id);
  out.set("status", row.body["status"]);
  return out;
}

Result<std::string> purchase_id(const Call& call) {
  Params in(call.params);
  const std::string id = in.text("purchase", 64);
  PV_TRY(in.done());
  return id;
}

Result<store::Row> find_purchase(Application& app, const std::string& id) {
  PV_TRY(app.expire());
  PV_ASSIGN(auto row, app.session.store().get(store::Table::purchases, id));
  if (!row) return fail(Errc::not_found, "purchase");
  return std::move(*row);
}

Status move_and_reply(Application& app, Call& call, store::Row row, std::string_view status, journal::Kind kind) {
  PV_ASSIGN(auto tx, app.session.begin());
  PV_TRY(ledger::move_purchase(app.session.store(), tx, row, status));
  Json body;
  body.set("purchase", row.id);
  PV_TRY(tx.journal(kind, std::move(body)));
  PV_TRY(app.session.commit(tx));
  app.watchers.tell(row);
  call.reply->ok(short_purchase(row));
  return {};
}

}  // namespace

Status purchase_list(Application& app, Call& call) {
  Params in(call.params);
  const std::string status = in.optional_text("status", 32).value_or("");
  const std::int64_t limit = in.optional_integer("limit", 1, 100, 50);
  PV_TRY(in.done());
  PV_TRY(app.expire());
  PV_ASSIGN(auto rows, status.empty() ? app.session.store().all(store::Table::purchases)
                                      : app.session.store().purchases_with_status(status));
  std::sort(rows.begin(), rows.end(), [](const store::Row& a, const store::Row& b) {
    return a.body["requested_at"].int_or(0) > b.body["requested_at"].int_or(0);
  });
  Json::Array items;
  std::size_t bytes = 0;
  for (const store::Row& row : rows) {
    if (static_cast<std::int64_t>(items.size()) == limit || bytes > kListBytes) break;
    PV_ASSIGN(Json item, purchase_for_owner(app.session, row));
    bytes += item.dump().size();
    items.push_back(std::move(item));
  }
  Json out;
  out.set("purchases", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

Status purchase_approve(Application& app, Call& call) {
  PV_ASSIGN(const std::string id, purchase_id(call));
  if (app.session.frozen()) return fail(Errc::frozen);
  if (app.session.narrowed("deny", id)) return fail(Errc::denied);
  PV_ASSIGN(store::Row row, find_purchase(app, id));
  if (const auto record = find_kept_record(app.session, row.body["record"].text_or("")); record && edited_since(row, *record))
    return fail(Errc::denied, "the record was edited after this was asked for");
  row.body.set("approved_by", "owner");
  row.body.set("expires_at", app.session.clock().now() + ledger::kApprovalValid);
  return move_and_reply(app, call, std::move(row), "approved", journal::Kind::purchase_approved);
}

Status purchase_deny(Application& app, Call& call) {
  PV_ASSIGN(const std::string id, purchase_id(call));
  Session& session = app.session;
  if (session.state() == State::locked) {
    PV_ASSIGN(const auto status, session.store().unverified_purchase_status(id));
    if (!status) return fail(Errc::not_found, "purchase");
    if (!ledger::may_become(*status, "denied")) return fail(ledger::refusal_of(*status));
  } else {
    // An approved one may be waiting for its fields: that injector is stopped before the row changes.
    app.injections.stop_purchase(id);
    auto row = find_purchase(app, id);
    if (!row && row.error().code == Errc::not_found) return tl::unexpected(row.error());
    if (row) {
      row->body.set("reason", "denied");
      const Status moved = move_and_reply(app, call, *row, "denied", journal::Kind::purchase_denied);
      if (moved || !ledger::may_become(row->body["status"].text_or(""), "denied")) return moved;
    }
  }
  PV_TRY(session.narrow("deny", id));
  Json out;
  out.set("purchase", id);
  out.set("status", "denied");
  call.reply->ok(std::move(out));
  return {};
}

Status purchase_settle(Application& app, Call& call) {
  PV_ASSIGN(const std::string id, purchase_id(call));
  PV_ASSIGN(store::Row row, find_purchase(app, id));
  return move_and_reply(app, call, std::move(row), "settled", journal::Kind::purchase_settled);
}

Status purchase_release(Application& app, Call& call) {
  PV_ASSIGN(const std::string id, purchase_id(call));
  PV_ASSIGN(store::Row row, find_purchase(app, id));
  return move_and_reply(app, call, std::move(row), "released", journal::Kind::purchase_released);
}

}  // namespace popvault::daemon::owner_methods
