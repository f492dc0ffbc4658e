// Names that nobody can guess: 32 hex digits of getrandom(2).
#pragma once

#include <string>

namespace popvault::guard {

std::string random_id();

}  // namespace popvault::guard
