#include "gate/agents.hpp"

namespace popvault::gate {
namespace {

// Of the kernel's word for who is at the other end, not the peer's own.
bool right_user(const store::Row& agent, const Caller& caller) {
  const std::int64_t* const uid = agent.body["uid"].integer();
  return uid == nullptr || *uid == static_cast<std::int64_t>(caller.identity.uid);
}

}  // namespace

Result<store::Row> authenticate(Session& session, const Caller& caller) {
  if (caller.agent.empty()) return fail(Errc::unauthenticated);
  PV_ASSIGN(auto row, session.store().agent_with_key(caller.agent_key));
  if (!row || row->id != caller.agent) return fail(Errc::unauthenticated);
  if (!equal_constant_time(as_bytes(row->body["key_sha256"].text_or("")), as_bytes(caller.agent_key)))
    return fail(Errc::unauthenticated);
  const std::string status = status_of(session, *row);
  if (status == "expired") return fail(Errc::unauthenticated, "the key has expired");
  if (status != "active" && status != "suspended") return fail(Errc::unauthenticated);
  if (!right_user(*row, caller)) return fail(Errc::unauthenticated, "the key is tied to another user");
  if (status == "suspended") return fail(Errc::agent_suspended);
  return std::move(*row);
}

Result<std::optional<store::Row>> agent_named(Session& session, const std::string& id_or_name) {
  PV_ASSIGN(auto agents, session.store().all(store::Table::agents));
  std::optional<store::Row> found;
  for (store::Row& agent : agents) {
    if (agent.id == id_or_name) return std::optional(std::move(agent));
    if (agent.body["name"].text_or("") != id_or_name) continue;
    if (!found || agent.body["status"].text_or("") != "revoked") found = std::move(agent);
  }
  return found;
}

Result<store::Row> find_agent(Session& session, const std::string& id_or_name) {
  PV_ASSIGN(auto agent, agent_named(session, id_or_name));
  if (!agent) return fail(Errc::not_found, "agent");
  return std::move(*agent);
}

std::string status_of(Session& session, const store::Row& agent) {
  std::string status = agent.body["status"].text_or("");
  if (status == "revoked" || session.narrowed("revoke", agent.id)) return "revoked";
  if (agent.body["expires_at"].int_or(0) <= session.clock().now()) return "expired";
  if (session.narrowed("suspend", agent.id)) return "suspended";
  return status;
}

bool expires_soon(const store::Row& agent, Seconds now) {
  const Seconds left = agent.body["expires_at"].int_or(0) - now;
  return left > 0 && left < kKeyWarning;
}

}  // namespace popvault::gate
