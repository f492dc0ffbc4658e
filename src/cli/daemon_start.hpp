// Starting popvaultd when a command needs it and nothing answers.
#pragma once

#include "base/result.hpp"
#include "os/paths.hpp"

namespace popvault::cli {

// Runs popvaultd in its own session, detached from the terminal, with its messages in <home>/popvaultd.log,
// and waits up to 10 s until owner.sock answers. Makes the home (0700) if it is not there. Another process
// that starts one at the same time is no error. Fails with what the daemon said before it ended, else with
// daemon_unreachable. A popvault-watcher is started after it, in the same way and without waiting, unless
// POPVAULT_NO_WATCHER is 1.
Status start_daemon(const Paths& paths);

// popvaultd, popvault-watcher or popvault-injector beside this program, in a build tree, or installed; empty when there is
// none.
std::string find_program(std::string_view name);

// The error that one line "popvaultd: text: detail (what to do)" of the daemon tells; the words of the closed
// list are recognised, anything else is daemon_unreachable with the line as its detail.
Error error_of_log_line(std::string_view line);

}  // namespace popvault::cli
