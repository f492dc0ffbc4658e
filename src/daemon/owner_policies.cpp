// owner.sock: policies.

#include "base/money.hpp"
#include "base/origin.hpp"
#include "daemon/handlers.hpp"
#include "rpc/params.hpp"
#include "session/records.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr std::size_t kMostMerchants = 100;
constexpr std::size_t kMostProcessors = 32;

Result<std::string> checked_origin(const Json& value, std::string_view name) {
  const std::string* text = value.string();
  if (text == nullptr) return fail(Errc::invalid_params, std::string(name) + " must be an origin");
  PV_ASSIGN(const Origin origin, Origin::parse(*text));
  if (!origin.https() && !origin.loopback()) return fail(Errc::invalid_field, std::string(name) + " must be https");
  return origin.text();
}

Result<Json> checked_merchants(const Json::Array& items) {
  if (items.empty()) return fail(Errc::invalid_params, "merchants is empty");
  Json::Array out;
  for (const Json& item : items) {
    Params in(item);
    const Json& origin = in.any("origin");
    const Json::Array none;
    const Json::Array& processors = in.has("processors") ? in.array("processors", kMostProcessors) : none;
    PV_TRY(in.done());
    PV_ASSIGN(std::string text, checked_origin(origin, "origin"));
    Json::Array clean;
    for (const Json& processor : processors) {
      PV_ASSIGN(std::string p, checked_origin(processor, "processor"));
      clean.push_back(std::move(p));
    }
    Json merchant;
    merchant.set("origin", std::move(text));
    merchant.set("processors", std::move(clean));
    out.push_back(std::move(merchant));
  }
  return Json(std::move(out));
}

Result<Json> checked_records(Session& session, const Json& value) {
  if (value.is_null()) return Json(Json::Array{Json("*")});
  if (value.array() == nullptr || value.array()->empty()) return fail(Errc::invalid_params, "records must be a list of ids");
  Json::Array out;
  for (const Json& item : *value.array()) {
    const std::string id = item.text_or("");
    if (id == "*") {
      out.push_back(id);
      continue;
    }
    PV_ASSIGN(const store::Row row, find_record(session, id));
    out.push_back(row.id);
  }
  return Json(std::move(out));
}

}  // namespace

Status policy_set(Application& app, Call& call) {
  Session& session = app.session;
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  const Json::Array& merchants = in.array("merchants", kMostMerchants);
  const std::string currency = in.text("currency", 3);
  const std::int64_t per_use = in.integer("per_use_minor", 0, kMaxMinor);
  const std::int64_t per_day = in.integer("per_day_minor", 0, kMaxMinor);
  const std::int64_t automatic = in.optional_integer("auto_approve_below_minor", 0, kMaxMinor, 0);
  const std::string strength = in.optional_text("strength", 16).value_or("wire");
  const Json& records = in.any("records");
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row agent, gate::find_agent(session, name));
  PV_TRY(Currency::parse(currency));
  if (!policy::parse_strength(strength)) return fail(Errc::invalid_field, "strength is wire, sealed, wire_attached or dom");
  if (per_use > per_day) return fail(Errc::invalid_field, "per_use_minor is over per_day_minor");
  PV_ASSIGN(Json clean_merchants, checked_merchants(merchants));
  PV_ASSIGN(Json clean_records, checked_records(session, records));
  PV_ASSIGN(auto row, session.store().get_with_deleted(store::Table::policies, agent.id));
  store::Row next{agent.id, row ? row->version : 0, {}};
  next.body.set("auto_approve_below_minor", automatic);
  next.body.set("currency", currency);
  next.body.set("merchants", std::move(clean_merchants));
  next.body.set("per_day_minor", per_day);
  next.body.set("per_use_minor", per_use);
  next.body.set("records", std::move(clean_records));
  next.body.set("strength", strength);
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::policies, next));
  Json body;
  body.set("agent", agent.id);
  PV_TRY(tx.journal(journal::Kind::policy_set, std::move(body)));
  PV_TRY(session.commit(tx));
  app.injections.stop_waiting(agent.id);
  Json out = next.body;
  out.set("agent", agent.id);
  call.reply->ok(std::move(out));
  return {};
}

Status policy_show(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row agent, gate::find_agent(app.session, name));
  PV_ASSIGN(const auto row, app.session.store().get(store::Table::policies, agent.id));
  if (!row) return fail(Errc::not_found, "this agent has no policy");
  Json out = row->body;
  out.set("agent", agent.id);
  call.reply->ok(std::move(out));
  return {};
}

Status policy_unset(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row agent, gate::find_agent(app.session, name));
  PV_ASSIGN(auto row, app.session.store().get(store::Table::policies, agent.id));
  if (!row) return fail(Errc::not_found, "this agent has no policy");
  app.injections.stop_waiting(agent.id);
  row->body.set("deleted", true);
  PV_ASSIGN(auto tx, app.session.begin());
  PV_TRY(tx.put(store::Table::policies, *row));
  Json body;
  body.set("agent", agent.id);
  PV_TRY(tx.journal(journal::Kind::policy_unset, std::move(body)));
  PV_TRY(app.session.commit(tx));
  Json out;
  out.set("agent", agent.id);
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
