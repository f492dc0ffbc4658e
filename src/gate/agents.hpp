// Agents: who asks. Step 1 of the gate.
//
// An agent's key is its own credential: compared as a SHA-256, never kept or logged. The loop's thread.
//
// Body of a row: name, status (active, suspended, revoked), key_sha256, key_first, key_last, created_at, expires_at, and
// where given: rotated_at, key_days (how long a key lives; else 90), uid (the one user that may show the key).
#pragma once

#include <string>
#include <string_view>

#include "os/socket.hpp"
#include "session/session.hpp"

namespace popvault::gate {

constexpr std::int64_t kMostKeyDays = 90;
constexpr Seconds kKeyWarning = 10 * 24 * 3600;  // so long before its end it is told

// What is known of the other end of a connection.
struct Caller {
  PeerIdentity identity;
  std::string agent;      // id, once session.hello succeeded
  std::string agent_key;  // hex SHA-256 of the key it showed; looked up again at every request
};

// The agent's sealed row, when the key that the caller showed is still good; else unauthenticated or agent_suspended.
Result<store::Row> authenticate(Session& session, const Caller& caller);

// By id, else one of that name that is not revoked (a name may be used again after a revocation), else any.
// find_agent(): not_found when there is none.
Result<std::optional<store::Row>> agent_named(Session& session, const std::string& id_or_name);
Result<store::Row> find_agent(Session& session, const std::string& id_or_name);

// "active", "suspended", "revoked" or "expired", as of now; narrowings that are not sealed yet count.
std::string status_of(Session& session, const store::Row& agent);
// Not over yet, and in its last ten days.
bool expires_soon(const store::Row& agent, Seconds now);

}  // namespace popvault::gate
