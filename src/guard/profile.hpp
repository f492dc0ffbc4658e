// The folder that the browser keeps its files in: the guard's own, never one that a person browses with.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace popvault::guard {

// Makes the folder (0700; its parent must exist) or checks it, and writes the preferences that switch off what keeps page
// data. Fails with insecure_file: a default profile of Chromium or Chrome (below the home of `environment` or of this
// user), another user's folder, a link, rights for others, or one that a living browser uses.
Status prepare_profile(const std::string& folder, const std::vector<std::string>& environment);

}  // namespace popvault::guard
