// One fill, from the Job to the Done.
#pragma once

#include "injector/channel.hpp"

namespace popvault::injector {

// Waits for the Job and answers it. False when the daemon could not be told what came of it. `pipe`: -1 when there is none.
bool run(int control, int browser, int pipe);

}  // namespace popvault::injector
