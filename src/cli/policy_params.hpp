// The options of `policy set` as the parameters of policy.preview, policy.narrow and policy.set.
#pragma once

#include "base/money.hpp"
#include "cli/arguments.hpp"
#include "os/clock.hpp"
#include "rpc/json.hpp"

namespace popvault::cli {

// What can be told wrong before anybody is asked: origins, the currency, amounts when it is given, words. Fails with
// usage or invalid_field, and names the option.
Status check_policy_options(const PolicyOptions& options, Seconds now);

// A whole policy: `present` (as policy.show gave it; null when the agent has none) with what the options change. A first
// policy needs --merchant, --per-use, --per-day and --currency (usage). A limit that is kept is lowered to a wider one
// that was lowered below it; one that was raised over a kept one is invalid_field.
Result<Json> policy_params(const PolicyOptions& options, const Json& present, Seconds now);

}  // namespace popvault::cli
