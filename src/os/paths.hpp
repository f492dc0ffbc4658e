// Where popvault keeps its files and sockets (docs/ARCHITECTURE.md, "Files").
#pragma once

#include <string>

#include "base/result.hpp"

namespace popvault {

struct Paths {
  std::string home;     // $POPVAULT_HOME; else $XDG_DATA_HOME/popvault; else ~/.local/share/popvault
  std::string runtime;  // $POPVAULT_RUNTIME_DIR; else, if POPVAULT_HOME is set, <home>/run; else
                        // $XDG_RUNTIME_DIR/popvault; else /run/user/<uid>/popvault if ours; else <home>/run
  std::string agent_socket() const { return runtime + "/agent.sock"; }
  std::string owner_socket() const { return runtime + "/owner.sock"; }
};

// From the environment as it is now; every path is absolute. Fails with usage when a variable holds a
// relative path, and with path_too_long when a socket's path would be over 107 bytes.
Result<Paths> find_paths();

}  // namespace popvault
