// A decision in plain words, for the owner. One line, with decimals and the currency. Pure.
#pragma once

#include <string>

#include "policy/decide.hpp"

namespace popvault::policy {

// Why decide() answered a request so. `policy` is the one that was asked; null when there is none.
std::string explain(const Decision& decision, const UseRequest& request, const Policy* policy, const Spent& spent);

}  // namespace popvault::policy
