// owner.sock: agents.

#include <algorithm>

#include "crypto/random.hpp"
#include "daemon/handlers.hpp"
#include "log/log.hpp"
#include "rpc/params.hpp"
#include "session/personal.hpp"

namespace popvault::daemon {
namespace {

constexpr Seconds kDay = 24 * 3600;
constexpr std::int64_t kMaxUid = 4'294'967'294;  // (uid_t)-1 is nobody's
constexpr std::size_t kMostTold = 20;            // of one list in the status

// What is shown on the owner's terminal stays one plain line.
Status check_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  return plain ? Status{} : fail(Errc::invalid_field, "name has letters, digits, '-', '_' and '.' only");
}

// What is kept of a key that the owner's program made.
struct NewKey {
  std::string hash, first, last;
};

NewKey key_in(Params& in) { return {in.text("key_sha256", 64), in.text("key_first", 12), in.text("key_last", 4)}; }

// A key is one agent's, for ever.
Status check_key(Session& session, const NewKey& key) {
  const auto bytes = from_hex(key.hash);
  if (!bytes || bytes->size() != 32 || to_hex(*bytes) != key.hash)
    return fail(Errc::invalid_params, "key_sha256 must be 64 hex digits in lower case");
  PV_ASSIGN(const auto same, session.store().agent_with_key(key.hash));
  return same ? fail(Errc::already_exists, "an agent with this key") : Status{};
}

void put_key(Json& body, const NewKey& key, Seconds now) {
  body.set("expires_at", now + body["key_days"].int_or(gate::kMostKeyDays) * kDay);
  body.set("key_first", key.first);
  body.set("key_last", key.last);
  body.set("key_sha256", key.hash);
}

Json time_or_null(Seconds time) { return time > 0 ? Json(rfc3339(time)) : Json(); }

Json to_json(const gate::Anomaly& anomaly) {
  Json out;
  out.set("at", rfc3339(anomaly.at));
  out.set("executables", Json::Array{anomaly.one, anomaly.other});
  return out;
}

Json agent_for_owner(Application& app, const store::Row& row) {
  const Seconds now = app.session.clock().now();
  const std::string status = gate::status_of(app.session, row);
  const bool alive = status == "active" || status == "suspended";
  const gate::Sighting* const seen = app.sightings.of(row.id);
  Json::Array anomalies;
  for (const gate::Anomaly& anomaly : app.sightings.anomalies(row.id, now)) anomalies.push_back(to_json(anomaly));
  Json out;
  out.set("agent", row.id);
  out.set("anomalies", std::move(anomalies));
  out.set("created_at", rfc3339(row.body["created_at"].int_or(0)));
  out.set("executable", seen != nullptr && !seen->executable.empty() ? Json(seen->executable) : Json());
  out.set("executable_since", seen != nullptr ? time_or_null(seen->since) : Json());
  out.set("expires_at", rfc3339(row.body["expires_at"].int_or(0)));
  out.set("expires_soon", alive && gate::expires_soon(row, now));
  out.set("key", row.body["key_first"].text_or("") + "..." + row.body["key_last"].text_or(""));
  out.set("last_seen", seen != nullptr && seen->last_seen ? Json(rfc3339(*seen->last_seen)) : Json());
  out.set("name", row.body["name"]);
  out.set("rotated_at", time_or_null(row.body["rotated_at"].int_or(0)));
  out.set("status", status);
  out.set("uid", row.body["uid"]);
  return out;
}

Status seal_status(Session& session, store::Row row, std::string_view status, journal::Kind kind, Json body) {
  row.body.set("status", status);
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::agents, row));
  body.set("agent", row.id);
  PV_TRY(tx.journal(kind, std::move(body)));
  return session.commit(tx);
}

Status seal_revocation(Session& session, store::Row row) {
  // The keys of what it could use are to die too; once, so that epochs are not piled up with revocations, which need no
  // proof.
  PV_ASSIGN(const auto policy, gate::policy_of(session, row.id));
  Json body;
  body.set("rotates", policy.has_value() && row.body["status"].text_or("") != "revoked");
  return seal_status(session, std::move(row), "revoked", journal::Kind::agent_revoked, std::move(body));
}

Result<std::string> agent_param(const Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  PV_TRY(in.done());
  return name;
}

// Which of a name is active cannot be known while locked: all of them are narrowed.
Result<std::vector<std::string>> narrow_all(Session& session, std::string_view what, const std::string& name) {
  PV_ASSIGN(const std::vector<std::string> ids, session.store().unverified_agents_named(name));
  if (ids.empty()) return fail(Errc::not_found, "agent");
  for (const std::string& id : ids) PV_TRY(session.narrow(what, id));
  return ids;
}

void reply_status(Call& call, const std::string& agent, std::string_view status) {
  Json out;
  out.set("agent", agent);
  out.set("status", status);
  call.reply->ok(std::move(out));
}

tl::unexpected<Error> is_revoked() { return fail(Errc::not_found, "this agent is revoked; popvault agent add makes a new one"); }

}  // namespace

Status add_agent_warnings(Application& app, Json& status) {
  Json::Array expiring, anomalies;
  PV_ASSIGN(const auto rows, app.session.store().all(store::Table::agents));
  for (const store::Row& row : rows) {
    const Json agent = agent_for_owner(app, row);
    if (agent["expires_soon"].bool_or(false) && expiring.size() < kMostTold)
      expiring.push_back(Json::Object{{"agent", row.id}, {"expires_at", agent["expires_at"]}, {"name", agent["name"]}});
    if (agent["status"].text_or("") == "revoked") continue;
    for (Json anomaly : *agent["anomalies"].array()) {
      if (anomalies.size() == kMostTold) break;
      anomaly.set("agent", row.id);
      anomaly.set("name", agent["name"]);
      anomalies.push_back(std::move(anomaly));
    }
  }
  status.set("agent_anomalies", std::move(anomalies));
  status.set("agents_expiring", std::move(expiring));
  return {};
}

namespace owner_methods {

Status agent_add(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("name", 64);
  const NewKey key = key_in(in);
  const std::int64_t uid = in.optional_integer("uid", 0, kMaxUid, -1);
  const std::int64_t days = in.optional_integer("expires_days", 1, gate::kMostKeyDays, gate::kMostKeyDays);
  PV_TRY(in.done());
  PV_TRY(check_name(name));
  Session& session = app.session;
  PV_TRY(check_key(session, key));
  PV_ASSIGN(const auto same, gate::agent_named(session, name));
  if (same && same->body["status"].text_or("") != "revoked") return fail(Errc::already_exists, "an agent of this name");
  store::Row row{"agt_" + crypto::random_token(26), 0, {}};
  const Seconds now = session.clock().now();
  row.body.set("created_at", now);
  row.body.set("key_days", days);
  row.body.set("name", name);
  row.body.set("status", "active");
  if (uid >= 0) row.body.set("uid", uid);
  put_key(row.body, key, now);
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::agents, row));
  Json body;
  body.set("agent", row.id);
  session.begin_subject(row.id);
  set_personal(session, body, row.id, Json::Object{{"name", name}});
  PV_TRY(tx.journal(journal::Kind::agent_added, std::move(body)));
  PV_TRY(session.commit(tx));
  Json out;
  out.set("agent", row.id);
  out.set("expires_at", rfc3339(row.body["expires_at"].int_or(0)));
  out.set("name", name);
  out.set("uid", row.body["uid"]);
  call.reply->ok(std::move(out));
  return {};
}

Status agent_list(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const auto rows, app.session.store().all(store::Table::agents));
  Json::Array items;
  for (const store::Row& row : rows) items.push_back(agent_for_owner(app, row));
  Json out;
  out.set("agents", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

Status agent_rotate(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  const NewKey key = key_in(in);
  PV_TRY(in.done());
  Session& session = app.session;
  PV_TRY(check_key(session, key));
  PV_ASSIGN(store::Row row, gate::find_agent(session, name));
  if (gate::status_of(session, row) == "revoked") return is_revoked();
  const Seconds now = session.clock().now();
  row.body.set("rotated_at", now);
  put_key(row.body, key, now);
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::agents, row));
  Json body;
  body.set("agent", row.id);
  PV_TRY(tx.journal(journal::Kind::agent_rotated, std::move(body)));
  const std::uint64_t before = session.store().head().seq;
  const Status committed = session.commit(tx);
  // The old key ends with the row, also when vault.enc could not be written: with its connections and what it began.
  if (session.store().head().seq != before) {
    app.injections.stop_agent(row.id);
    app.sightings.forget(row.id);
    app.close_agent(row.id);
  }
  PV_TRY(committed);
  Json out;
  out.set("agent", row.id);
  out.set("expires_at", rfc3339(row.body["expires_at"].int_or(0)));
  call.reply->ok(std::move(out));
  return {};
}

Status agent_suspend(Application& app, Call& call) {
  PV_ASSIGN(const std::string name, agent_param(call));
  Session& session = app.session;
  std::vector<std::string> ids;
  if (session.state() != State::unlocked) {
    PV_ASSIGN(ids, narrow_all(session, "suspend", name));
  } else {
    PV_ASSIGN(store::Row row, gate::find_agent(session, name));
    const std::string id = row.id;
    if (gate::status_of(session, row) == "revoked") return is_revoked();
    // What runs is stopped first: it must not matter whether the disk takes the row.
    app.injections.stop_agent(id);
    const bool is_already = row.body["status"].text_or("") == "suspended";
    if (!is_already && !seal_status(session, std::move(row), "suspended", journal::Kind::agent_suspended, {}))
      PV_TRY(session.narrow("suspend", id));
    ids.push_back(id);
  }
  for (const std::string& id : ids) app.injections.stop_agent(id);
  reply_status(call, ids.back(), "suspended");
  return {};
}

Status agent_resume(Application& app, Call& call) {
  PV_ASSIGN(const std::string name, agent_param(call));
  Session& session = app.session;
  PV_TRY(session.fold_narrowings());
  PV_ASSIGN(store::Row row, gate::find_agent(session, name));
  const std::string id = row.id;
  const std::string status = row.body["status"].text_or("");
  if (status == "revoked") return is_revoked();
  if (status == "suspended") PV_TRY(seal_status(session, std::move(row), "active", journal::Kind::agent_resumed, {}));
  reply_status(call, id, "active");
  return {};
}

Status agent_revoke(Application& app, Call& call) {
  PV_ASSIGN(const std::string name, agent_param(call));
  Session& session = app.session;
  std::vector<std::string> ids;
  if (session.state() != State::unlocked) {
    PV_ASSIGN(ids, narrow_all(session, "revoke", name));
  } else {
    PV_ASSIGN(store::Row row, gate::find_agent(session, name));
    ids.push_back(row.id);
    // What runs is stopped first: it must not matter whether the disk takes the row.
    app.injections.stop_agent(row.id);
    if (!seal_revocation(session, std::move(row))) PV_TRY(session.narrow("revoke", ids.back()));
    if (const Status kept = app.keep_schedule(); !kept) log_warning("rotating after a revocation: " + kept.error().message());
  }
  for (const std::string& id : ids) {
    app.injections.stop_agent(id);
    app.sightings.forget(id);
    app.close_agent(id);
  }
  reply_status(call, ids.back(), "revoked");
  return {};
}

}  // namespace owner_methods
}  // namespace popvault::daemon
