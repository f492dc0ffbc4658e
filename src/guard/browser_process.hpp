// Chromium's start: which program, which arguments, which descriptors.
//
// The child gets 0 /dev/null, 1 and 2 /dev/null, 3 the pipe that it reads commands from, 4 the one that it answers on, and
// nothing else; its environment is the one given. It is killed when the guard ends, however that ends.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "os/descriptor.hpp"
#include "rpc/guard_protocol.hpp"

namespace popvault::guard {

struct BrowserProcess {
  pid_t pid = 0;
  Descriptor commands;  // we write
  Descriptor answers;   // we read
};

// The first that is there, or empty.
std::string find_browser();
std::vector<std::string> browser_arguments(const Configure& configure);
// Fails with browser_unreachable.
Result<BrowserProcess> start_browser(const std::string& program, const Configure& configure);

}  // namespace popvault::guard
