// owner.sock: agents, policies, settings.

#include <algorithm>

#include "base/money.hpp"
#include "base/origin.hpp"
#include "crypto/random.hpp"
#include "daemon/browser.hpp"
#include "daemon/gate.hpp"
#include "daemon/handlers.hpp"
#include "log/log.hpp"
#include "session/records.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr Seconds kKeyLife = 90 * 24 * 3600;
constexpr std::size_t kMostMerchants = 100;
constexpr std::size_t kMostProcessors = 32;

// What is shown on the owner's terminal stays one plain line.
Status check_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  return plain ? Status{} : fail(Errc::invalid_field, "name has letters, digits, '-', '_' and '.' only");
}

Result<std::optional<store::Row>> agent_named(Session& session, const std::string& id_or_name) {
  PV_ASSIGN(auto agents, session.store().all(store::Table::agents));
  // An id, else the active one of that name (a name may be used again after a revocation), else any.
  std::optional<store::Row> found;
  for (store::Row& agent : agents) {
    if (agent.id == id_or_name) return std::optional(std::move(agent));
    if (agent.body["name"].text_or("") != id_or_name) continue;
    if (!found || agent.body["status"].text_or("") == "active") found = std::move(agent);
  }
  return found;
}

Result<store::Row> find_agent(Session& session, const std::string& id_or_name) {
  PV_ASSIGN(auto agent, agent_named(session, id_or_name));
  if (!agent) return fail(Errc::not_found, "agent");
  return std::move(*agent);
}

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

Status agent_add(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("name", 64);
  const std::string hash = in.text("key_sha256", 64);
  const std::string first = in.text("key_first", 12);
  const std::string last = in.text("key_last", 4);
  PV_TRY(in.done());
  PV_TRY(check_name(name));
  if (const auto bytes = from_hex(hash); !bytes || bytes->size() != 32)
    return fail(Errc::invalid_params, "key_sha256 must be 64 hex digits");
  Session& session = app.session;
  PV_ASSIGN(const auto same, agent_named(session, name));
  if (same && same->body["status"].text_or("") == "active") return fail(Errc::already_exists, "an agent of this name");
  store::Row row{"agt_" + crypto::random_token(26), 0, {}};
  const Seconds now = session.clock().now();
  row.body.set("created_at", now);
  row.body.set("expires_at", now + kKeyLife);
  row.body.set("key_first", first);
  row.body.set("key_last", last);
  row.body.set("key_sha256", hash);
  row.body.set("name", name);
  row.body.set("status", "active");
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::agents, row));
  Json body;
  body.set("agent", row.id);
  body.set("name", name);
  PV_TRY(tx.journal(journal::Kind::agent_added, std::move(body)));
  PV_TRY(session.commit(tx));
  Json out;
  out.set("agent", row.id);
  out.set("expires_at", rfc3339(now + kKeyLife));
  out.set("name", name);
  call.reply->ok(std::move(out));
  return {};
}

Status agent_list(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const auto rows, app.session.store().all(store::Table::agents));
  Json::Array items;
  for (const store::Row& row : rows) {
    Json item;
    const bool expired = row.body["expires_at"].int_or(0) <= app.session.clock().now();
    const std::string status = row.body["status"].text_or("");
    item.set("agent", row.id);
    item.set("created_at", rfc3339(row.body["created_at"].int_or(0)));
    item.set("expires_at", rfc3339(row.body["expires_at"].int_or(0)));
    item.set("key", row.body["key_first"].text_or("") + "..." + row.body["key_last"].text_or(""));
    item.set("name", row.body["name"]);
    item.set("status", status == "active" && expired ? "expired" : status);
    items.push_back(std::move(item));
  }
  Json out;
  out.set("agents", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

namespace {
Status seal_revocation(Session& session, store::Row row) {
  // The keys of what it could use are to die too; once, so that epochs are not piled up with revocations, which need no
  // proof.
  PV_ASSIGN(const auto policy, policy_of(session, row.id));
  const bool rotates = policy.has_value() && row.body["status"].text_or("") == "active";
  row.body.set("status", "revoked");
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::agents, row));
  Json body;
  body.set("agent", row.id);
  body.set("rotates", rotates);
  PV_TRY(tx.journal(journal::Kind::agent_revoked, std::move(body)));
  return session.commit(tx);
}
}  // namespace

Status agent_revoke(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  PV_TRY(in.done());
  Session& session = app.session;
  std::vector<std::string> ids;
  if (session.state() == State::locked) {
    // Which of that name is active cannot be known now: all of them are revoked.
    PV_ASSIGN(ids, session.store().unverified_agents_named(name));
    if (ids.empty()) return fail(Errc::not_found, "agent");
    for (const std::string& id : ids) PV_TRY(session.narrow("revoke", id));
  } else {
    PV_ASSIGN(store::Row row, find_agent(session, name));
    ids.push_back(row.id);
    // What runs is stopped first: it must not matter whether the disk takes the row.
    app.injections.stop_agent(row.id);
    if (!seal_revocation(session, std::move(row))) PV_TRY(session.narrow("revoke", ids.back()));
    if (const Status kept = app.keep_schedule(); !kept) log_warning("rotating after a revocation: " + kept.error().message());
  }
  for (const std::string& id : ids) {
    app.injections.stop_agent(id);
    app.close_agent(id);
  }
  Json out;
  out.set("agent", ids.back());
  out.set("status", "revoked");
  call.reply->ok(std::move(out));
  return {};
}

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
  PV_ASSIGN(const store::Row agent, find_agent(session, name));
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
  PV_ASSIGN(const store::Row agent, find_agent(app.session, name));
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
  PV_ASSIGN(const store::Row agent, find_agent(app.session, name));
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

namespace {
Result<Json> settings_json(Session& session, const std::string& only) {
  Json settings{Json::Object{}};
  for (const char* key : {"allow_loopback_http", "browser.endpoint"}) {
    if (!only.empty() && only != key) continue;
    PV_ASSIGN(const auto row, session.store().get(store::Table::settings, key));
    settings.set(key, row ? row->body["value"] : std::string_view(key) == "allow_loopback_http" ? Json(false) : Json());
  }
  if (settings.object()->empty()) return fail(Errc::not_found, "setting");
  Json out;
  out.set("settings", std::move(settings));
  return out;
}

Status check_setting(const std::string& key, const Json& value) {
  if (key == "allow_loopback_http")
    return value.boolean() != nullptr ? Status{} : fail(Errc::invalid_field, "allow_loopback_http is true or false");
  if (key != "browser.endpoint") return fail(Errc::not_found, "setting");
  if (value.is_null()) return {};
  if (value.string() == nullptr) return fail(Errc::invalid_field, "browser.endpoint is an address");
  PV_TRY(parse_endpoint(*value.string()));
  return {};
}
}  // namespace

Status config_get(Application& app, Call& call) {
  Params in(call.params);
  const std::string key = in.optional_text("key", 64).value_or("");
  PV_TRY(in.done());
  PV_ASSIGN(Json out, settings_json(app.session, key));
  call.reply->ok(std::move(out));
  return {};
}

Status config_set(Application& app, Call& call) {
  Params in(call.params);
  const std::string key = in.text("key", 64);
  const Json& value = in.any("value");
  PV_TRY(in.done());
  if (!in.has("value")) return fail(Errc::invalid_params, "value is missing");
  PV_TRY(check_setting(key, value));
  PV_ASSIGN(auto row, app.session.store().get(store::Table::settings, key));
  store::Row next = row ? *row : store::Row{key, 0, {}};
  next.body.set("value", value);
  PV_ASSIGN(auto tx, app.session.begin());
  PV_TRY(tx.put(store::Table::settings, next));
  Json body;
  body.set("key", key);
  body.set("value", value);
  PV_TRY(tx.journal(journal::Kind::config_set, std::move(body)));
  PV_TRY(app.session.commit(tx));
  app.injections.stop_waiting();
  PV_ASSIGN(Json out, settings_json(app.session, ""));
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
