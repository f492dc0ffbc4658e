// Policies as rows of state.db. Deciding is src/policy.
#pragma once

#include <optional>
#include <string_view>

#include "policy/decide.hpp"
#include "session/session.hpp"

namespace popvault::gate {

// The policy of an agent; none when it has none. A row that does not verify is state_corrupt.
Result<std::optional<policy::Policy>> policy_of(Session& session, std::string_view agent);

}  // namespace popvault::gate
