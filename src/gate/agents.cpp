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

}  // namespace popvault::gate
