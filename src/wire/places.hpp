// What a body's members may be, and which of them get the card.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wire/body.hpp"

namespace popvault::wire {

// Sets a hole at each named place whose value is exactly the alias. The first fault ends it: unlisted_member,
// value_not_allowed, number_value, exp_value, cvc_value.
std::optional<Mismatch> place_members(const RequestRule& rule, const Expected& expected, Node& root);

// Whether each query member is listed (an account's as well), there once, with an allowed value.
bool query_fits(const RequestRule& rule, const std::vector<std::pair<std::string, std::string>>& query);

}  // namespace popvault::wire
