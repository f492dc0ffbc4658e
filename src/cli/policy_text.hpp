// A policy, and what changes in one, as text for people.
#pragma once

#include <string>

#include "rpc/json.hpp"

namespace popvault::cli {

// As policy.show gives it.
std::string policy_text(const Json& policy);

// One line per change, those that allow more marked. `changes` as policy.preview gives them; `before` (null: none) and
// `after` name the currencies.
std::string changes_text(const Json& changes, const Json& before, const Json& after);

}  // namespace popvault::cli
