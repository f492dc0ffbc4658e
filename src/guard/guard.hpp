// The guard as a whole: from Configure to the end of the daemon's channel or of the browser.
#pragma once

#include "base/result.hpp"
#include "os/descriptor.hpp"

namespace popvault::guard {

// Runs until it is over; the exit status of the process.
int run(Descriptor channel);

}  // namespace popvault::guard
