// owner.sock: purchases.

#include "ledger/purchases.hpp"

#include <algorithm>

#include "base/money.hpp"
#include "daemon/handlers.hpp"
#include "session/records.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr std::size_t kListBytes = 512 * 1024;  // a reply's list ends here; clients take up to 1 MiB

Result<Json> purchase_for_owner(Application& app, const store::Row& row) {
  Session& session = app.session;
  PV_ASSIGN(Json out, app.gate.purchase_view(row));
  const Json& body = row.body;
  PV_ASSIGN(const auto agent, session.store().get(store::Table::agents, body["agent"].text_or("")));
  out.set("agent", body["agent"]);
  out.set("agent_name", agent ? agent->body["name"] : Json());
  const auto currency = Currency::parse(body["currency"].text_or(""));
  if (currency) out.set("amount", format_amount(body["amount_minor"].int_or(0), *currency));
  out.set("amount_minor", body["amount_minor"]);
  for (const char* name : {"currency", "executable", "merchant", "page_url", "rule", "strength", "text"}) out.set(name, body[name]);
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

Status moved(Application& app, Call& call, const Result<store::Row>& row) {
  if (!row) return tl::unexpected(row.error());
  app.watchers.tell(*row);
  call.reply->ok(short_purchase(*row));
  return {};
}

}  // namespace

Status purchase_list(Application& app, Call& call) {
  Params in(call.params);
  const std::string status = in.optional_text("status", 32).value_or("");
  const std::string cursor = in.optional_text("cursor", 64).value_or("");
  const std::int64_t limit = in.optional_integer("limit", 1, 100, 50);
  PV_TRY(in.done());
  PV_TRY(app.expire());
  PV_ASSIGN(auto rows, status.empty() ? app.session.store().all(store::Table::purchases)
                                      : app.session.store().purchases_with_status(status));
  // The newest first; of those of one second, by id.
  const auto order = [](const store::Row& a, const store::Row& b) {
    const std::int64_t x = a.body["requested_at"].int_or(0), y = b.body["requested_at"].int_or(0);
    return x != y ? x > y : a.id < b.id;
  };
  std::sort(rows.begin(), rows.end(), order);
  auto at = rows.begin();
  if (!cursor.empty()) {
    PV_ASSIGN(const auto last, app.session.store().get(store::Table::purchases, cursor));
    if (!last) return fail(Errc::not_found, "the purchase of the cursor");
    at = std::upper_bound(rows.begin(), rows.end(), *last, order);
  }
  Json::Array items;
  Json next;
  std::size_t bytes = 0;
  for (; at != rows.end(); ++at) {
    if (static_cast<std::int64_t>(items.size()) == limit || bytes > kListBytes) {
      next = items.back()["purchase"];
      break;
    }
    PV_ASSIGN(Json item, purchase_for_owner(app, *at));
    bytes += item.dump().size();
    items.push_back(std::move(item));
  }
  Json out;
  out.set("next", std::move(next));
  out.set("purchases", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

Status purchase_approve(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("purchase", 64);
  const bool force = in.optional_flag("force", false);
  PV_TRY(in.done());
  PV_TRY(app.expire());
  return moved(app, call, app.gate.approve(id, force));
}

Status purchase_deny(Application& app, Call& call) {
  PV_ASSIGN(const std::string id, purchase_id(call));
  Session& session = app.session;
  if (session.state() != State::unlocked) {
    PV_ASSIGN(const auto status, session.store().unverified_purchase_status(id));
    if (!status) return fail(Errc::not_found, "purchase");
    if (!ledger::may_become(*status, "denied")) return fail(ledger::refusal_of(*status));
    app.injections.stop_purchase(id);
  } else {
    // An approved one may be waiting for its fields: that injector is stopped before the row changes.
    app.injections.stop_purchase(id);
    PV_TRY(app.expire());
    const auto row = app.gate.deny(id);
    if (row) return moved(app, call, row);
    // What the table of states refuses stays refused; what could not be sealed is written down otherwise.
    const auto now = session.store().get(store::Table::purchases, id);
    if (row.error().code == Errc::not_found || (now && *now && !ledger::may_become((*now)->body["status"].text_or(""), "denied")))
      return tl::unexpected(row.error());
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
  PV_TRY(app.expire());
  return moved(app, call, app.gate.settle_by_owner(id, "settled"));
}

Status purchase_release(Application& app, Call& call) {
  PV_ASSIGN(const std::string id, purchase_id(call));
  PV_TRY(app.expire());
  return moved(app, call, app.gate.settle_by_owner(id, "released"));
}

Status purchase_adjust(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  const std::string code = in.text("currency", 3);
  const std::int64_t amount = in.integer("amount_minor", -kMaxMinor, kMaxMinor);
  const std::string reason = in.text("reason", 200);
  PV_TRY(in.done());
  PV_ASSIGN(const Currency currency, Currency::parse(code));
  if (amount == 0) return fail(Errc::invalid_field, "amount_minor is 0");
  PV_ASSIGN(const store::Row agent, gate::find_agent(app.session, name));
  PV_TRY(app.gate.adjust(agent.id, currency.code(), amount, reason));
  const policy::Spent spent = app.session.book().spent(agent.id, currency.code(), app.session.clock().now());
  Json out;
  out.set("agent", agent.id);
  out.set("currency", currency.code());
  out.set("spent_day_minor", spent.day);
  out.set("spent_month_minor", spent.month);
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
