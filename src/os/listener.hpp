// Who listens on a loopback TCP port: the facts the kernel tells about the owner's browser.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace popvault {

struct Listener {
  uid_t uid = 0;
  std::uint64_t inode = 0;
  bool loopback_only = false;
};
// Fails with browser_unreachable when nobody listens there.
Result<Listener> find_listener(bool ipv6, std::uint16_t port);

struct ListenerProcess {
  pid_t pid = 0;
  std::string executable;              // a label
  std::vector<std::string> arguments;  // as the process shows them
};
// The process of ours that holds the socket; browser_refused when none of ours does. Looks through /proc, so
// about a millisecond; `hint` is tried first (0: none).
Result<ListenerProcess> find_listener_process(std::uint64_t inode, pid_t hint);

}  // namespace popvault
