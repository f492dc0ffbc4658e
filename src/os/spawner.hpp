// The process that starts injectors and the guard: forked before the daemon holds any secret, so that no child ever inherits
// a page or a descriptor of the vault.
//
// It runs sealed copies of them (memfds with write seals, mode 0111: whoever may write the file on disk cannot change
// what runs, and the new process is never dumpable). Each child gets 0 /dev/null, 1 and 2 the log pipe, 3 the control
// socket, an injector 4 the browser connection and, behind a guard, 5 the browser's pipe; no environment, nothing else.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>

#include "os/descriptor.hpp"
#include "base/result.hpp"

namespace popvault {

// A sealed copy of an executable file.
Result<Descriptor> sealed_copy(const std::string& program);

class Spawner {
 public:
  // Forks. In the parent: the object. The child serves until the parent is gone and never returns.
  static Result<Spawner> start(Descriptor sealed_injector, Descriptor sealed_guard);

  // The child's pid. The descriptors stay the caller's to close. `pipe`: -1 for none.
  Result<pid_t> spawn(int log, int control, int browser, int pipe = -1);
  Result<pid_t> spawn_guard(int log, int control);
  // SIGKILL to a child of ours that is still running; no error if it is gone.
  void kill(pid_t child);

 private:
  Result<pid_t> order(std::uint8_t what, std::span<const int> descriptors);
  explicit Spawner(Descriptor channel) : channel_(std::move(channel)) {}
  Descriptor channel_;
};

}  // namespace popvault
