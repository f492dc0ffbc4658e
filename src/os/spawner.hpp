// The process that starts injectors: forked before the daemon holds any secret, so that no child ever inherits
// a page or a descriptor of the vault.
//
// It runs a sealed copy of popvault-injector (a memfd with write seals, mode 0111: whoever may write the file
// on disk cannot change what runs, and the new process is never dumpable). Each child gets 0 /dev/null, 1 and 2
// the log pipe, 3 the control socket, 4 the browser connection, no environment, and nothing else.
#pragma once

#include <sys/types.h>

#include <string>

#include "os/descriptor.hpp"
#include "base/result.hpp"

namespace popvault {

// A sealed copy of an executable file.
Result<Descriptor> sealed_copy(const std::string& program);

class Spawner {
 public:
  // Forks. In the parent: the object. The child serves until the parent is gone and never returns.
  static Result<Spawner> start(Descriptor sealed_injector);

  // The child's pid. The descriptors stay the caller's to close.
  Result<pid_t> spawn(int log, int control, int browser);
  // SIGKILL to a child of ours that is still running; no error if it is gone.
  void kill(pid_t child);

 private:
  explicit Spawner(Descriptor channel) : channel_(std::move(channel)) {}
  Descriptor channel_;
};

}  // namespace popvault
