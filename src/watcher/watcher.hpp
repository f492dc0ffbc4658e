// The loop: the daemon, two buses, the hooks.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "os/paths.hpp"

namespace popvault::watcher {

// Watches for the daemon of this home until that daemon ends. Fails when none answers within 10 s, or when it is not ours.
// `hook_environment`: "NAME=value" for the hook.
Status watch(const Paths& paths, std::vector<std::string> hook_environment);

}  // namespace popvault::watcher
