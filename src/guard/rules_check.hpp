// The checks of single parameters that rules_table.def names.
#pragma once

#include <optional>
#include <string>

#include "guard/rules.hpp"

namespace popvault::guard {

// One command's params on their way through their checks.
struct Checked {
  const Json& given;
  std::string why;               // empty: they pass
  std::optional<Json> changed;   // what goes instead

  Json& edit() {
    if (!changed) changed = given;
    return *changed;
  }
};

// `name` is looked up among the checks; an unknown one refuses. `value` is null when the parameter is absent: a
// check is asked about that too.
void check_parameter(const std::string& name, const std::string& parameter, const Json* value, const Place& place, Checked& checked);
bool check_exists(const std::string& name);

}  // namespace popvault::guard
