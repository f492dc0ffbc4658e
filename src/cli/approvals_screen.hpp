// approvals --watch: what waits for the owner, on the whole terminal, kept up to date by the daemon's events.
#pragma once

#include "cli/command.hpp"

namespace popvault::cli {

// Until q, a signal, or the end of the daemon. Fails with usage where there is no terminal that can show it, and with
// daemon_unreachable when the daemon goes.
Status watch_approvals(const Context& context);

}  // namespace popvault::cli
