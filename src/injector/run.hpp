// One fill, from the Job to the Done.
#pragma once

#include "injector/channel.hpp"

namespace popvault::injector {

// Waits for the Job and answers it. False when the daemon could not be told what came of it.
bool run(int control, int browser);

}  // namespace popvault::injector
