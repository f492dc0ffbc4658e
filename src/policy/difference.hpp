// What changes from one policy to another, member by member, and which of it lets the agent do more.
//
// If nothing widens, decide() answers no request with more than before (tests/unit/policy/difference_test.cpp). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "policy/decide.hpp"

namespace popvault::policy {

// As the member stands in a message: minor units, seconds, a flag, a word; monostate where there is none.
using Value = std::variant<std::monostate, bool, std::int64_t, std::string>;

struct Change {
  std::string what;  // "per_day_minor", "merchant ORIGIN", "processor ORIGIN at ORIGIN", "account TEXT at ORIGIN", "record ID", ...
  Value from, to;    // of a merchant, processor, account or record: whether it is listed
  bool widens = false;
  bool operator==(const Change&) const = default;
};

// Without a policy nothing is allowed, so `before` is then the empty one: everything that `after` gives widens. Another
// currency widens: limits in two currencies cannot be compared. So does another price selector: which of two places shows
// the true price is the owner's to say.
std::vector<Change> differences(const Policy* before, const Policy& after);
// The first that widens; null when none does.
const Change* first_widening(const std::vector<Change>& changes) noexcept;

}  // namespace popvault::policy
