// Agents: who asks. Step 1 of the gate.
//
// An agent's key is its own credential: compared as a SHA-256, never kept or logged. The loop's thread.
#pragma once

#include <string>

#include "os/socket.hpp"
#include "session/session.hpp"

namespace popvault::gate {

// What is known of the other end of a connection.
struct Caller {
  PeerIdentity identity;
  std::string agent;      // id, once session.hello succeeded
  std::string agent_key;  // hex SHA-256 of the key it showed; looked up again at every request
};

// The agent's sealed row, when the key that the caller showed is still good; else unauthenticated or agent_suspended.
Result<store::Row> authenticate(Session& session, const Caller& caller);

// By id, else the active one of that name (a name may be used again after a revocation), else any. find_agent(): not_found
// when there is none.
Result<std::optional<store::Row>> agent_named(Session& session, const std::string& id_or_name);
Result<store::Row> find_agent(Session& session, const std::string& id_or_name);

}  // namespace popvault::gate
