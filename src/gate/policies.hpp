// Policies as rows of state.db and as JSON. Deciding and comparing is src/policy. The loop's thread.
#pragma once

#include <optional>
#include <string_view>

#include "policy/decide.hpp"
#include "policy/difference.hpp"
#include "session/session.hpp"

namespace popvault::gate {

constexpr std::int64_t kMonthOfDays = 30;    // per_month_minor, where it is not given: so many times per_day_minor
constexpr std::int64_t kUsesPerHour = 10;    // uses_per_hour, where it is not given

// The policy of an agent; none when it has none. A row that does not verify is state_corrupt or state_rolled_back.
Result<std::optional<policy::Policy>> policy_of(Session& session, std::string_view agent);
// Its policy's row does not verify: journalled, and from now on the agent may do nothing. Not within a transaction.
Status suspend_unverified(Session& session, std::string_view agent);

// All members, as in docs/PROTOCOL.md. policy_from() also takes the rows of 0.2.0; what is no policy is state_corrupt.
Result<policy::Policy> policy_from(const Json& body);
Json policy_to_json(const policy::Policy& policy);
// [{what, from, to, widens}]
Json to_json(const std::vector<policy::Change>& changes);
// 30 days' worth of a day's limit, and never more than any amount may be.
std::int64_t default_month(std::int64_t per_day) noexcept;

}  // namespace popvault::gate
