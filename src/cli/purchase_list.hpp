// purchase.list, page after page.
#pragma once

#include <optional>
#include <string>

#include "cli/owner_session.hpp"

namespace popvault::cli {

constexpr int kMostListed = 10'000;

// An array of at most `limit` purchases, those with this status or all, the newest first.
Result<Json> purchases_with(OwnerSession& session, const std::optional<std::string>& status, int limit);

}  // namespace popvault::cli
