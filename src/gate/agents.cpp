#include "gate/agents.hpp"

namespace popvault::gate {

Result<store::Row> authenticate(Session& session, const Caller& caller) {
  if (caller.agent.empty()) return fail(Errc::unauthenticated);
  PV_ASSIGN(auto row, session.store().agent_with_key(caller.agent_key));
  if (!row || row->id != caller.agent || row->body["status"].text_or("") != "active") return fail(Errc::unauthenticated);
  if (session.narrowed("revoke", row->id)) return fail(Errc::unauthenticated);
  if (!equal_constant_time(as_bytes(row->body["key_sha256"].text_or("")), as_bytes(caller.agent_key)))
    return fail(Errc::unauthenticated);
  if (row->body["expires_at"].int_or(0) <= session.clock().now()) return fail(Errc::unauthenticated, "the key has expired");
  return std::move(*row);
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

}  // namespace popvault::gate
