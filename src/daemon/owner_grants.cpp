// owner.sock: execution grants.

#include "daemon/handlers.hpp"
#include "rpc/params.hpp"
#include "session/records.hpp"

namespace popvault::daemon::owner_methods {
namespace {

// Of a row, verified or (while locked) not.
Json grant_json(Session& session, const store::Row& row) {
  const bool verified = session.store().unsealed();
  const Seconds expires = row.body["expires_at"].int_or(0);
  std::string status = row.body["status"].text_or("");
  if (session.narrowed("grant", row.id)) status = "revoked";
  if (status == "active" && expires <= session.clock().now()) status = "expired";
  if (status == "active" && !session.grants().has(row.id)) status = "suspended";
  Json out;
  out.set("agent", row.body["agent"]);
  out.set("created_at", rfc3339(row.body["created_at"].int_or(0)));
  out.set("expires_at", rfc3339(expires));
  out.set("grant", row.id);
  out.set("records", row.body["records"]);
  out.set("sealed", row.body["sealed"]);
  out.set("status", status);
  out.set("verified", verified);
  return out;
}

Result<std::vector<std::string>> record_ids(Session& session, const Json::Array& items) {
  if (items.empty()) return fail(Errc::invalid_params, "records is empty");
  std::vector<std::string> out;
  for (const Json& item : items) {
    PV_ASSIGN(const store::Row record, find_record(session, item.text_or("")));
    out.push_back(record.id);
  }
  return out;
}

}  // namespace

Status grant_create(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  const Json::Array& records = in.array("records", kMostGrantRecords);
  const Seconds ttl = in.optional_integer("ttl_s", 60, kLongestGrant, kGrantTime);
  const std::string seal = in.optional_text("seal", 16).value_or("");
  PV_TRY(in.done());
  if (!seal.empty() && seal != "systemd") return fail(Errc::invalid_params, "seal is systemd");
  if (app.session.frozen()) return fail(Errc::frozen);
  PV_ASSIGN(const store::Row agent, gate::find_agent(app.session, name));
  if (agent.body["status"].text_or("") != "active") return fail(Errc::wrong_status, "this agent is not active");
  PV_ASSIGN(const auto ids, record_ids(app.session, records));
  PV_ASSIGN(const Grant grant, app.session.create_grant(agent.id, ids, ttl, !seal.empty()));
  PV_ASSIGN(const auto row, app.session.store().get(store::Table::grants, grant.id));
  if (!row) return fail(Errc::state_corrupt, "a grant");
  call.reply->ok(grant_json(app.session, *row));
  return {};
}

Status grant_list(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const auto rows, app.session.store().unsealed() ? app.session.store().all(store::Table::grants)
                                                            : app.session.store().unverified_grants());
  Json::Array items;
  for (const store::Row& row : rows) items.push_back(grant_json(app.session, row));
  Json out;
  out.set("grants", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

Status grant_revoke(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("grant", 64);
  PV_TRY(in.done());
  // What runs under it is stopped first, before its effect.
  std::string agent;
  app.session.grants().each([&](const Grant& grant) {
    if (grant.id == id) agent = grant.agent;
  });
  if (app.session.state() == State::granted && !agent.empty()) app.injections.stop_agent(agent);
  PV_TRY(app.session.revoke_grant(id));
  Json out;
  out.set("grant", id);
  out.set("status", "revoked");
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
