// The checks of single parameters that rules_table.def names.
#pragma once

#include <string>

#include "guard/rules.hpp"

namespace popvault::guard {

struct Checked {
  std::string why;     // empty: it passes
  bool changed = false;
  Json params;         // what goes instead, when changed
};

// `name` is looked up among the checks; an unknown one refuses. `value` is null when the parameter is absent: a
// check is asked about that too. `checked.params` holds the params so far.
void check_parameter(const std::string& name, const std::string& parameter, const Json* value, const Place& place, Checked& checked);
bool check_exists(const std::string& name);

}  // namespace popvault::guard
