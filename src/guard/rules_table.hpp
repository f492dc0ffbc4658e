// rules_table.def as data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "guard/rules.hpp"

namespace popvault::guard {

// Sessions a command may be sent on: a bit for each Place::Kind.
enum class OnSessions : std::uint8_t { root = 1, page = 4 | 8, code = 4 | 8 | 16, node = 2 | 4 | 8 | 16, some = 1 | 4 | 8, any = 31 };
enum class OnPages : std::uint8_t { open, typing, always, shot };

struct Parameter {
  std::string name;
  std::string check;  // empty: any value; "-": refused by name
};

struct CommandRow {
  enum class Kind { pass, answer, refuse } kind = Kind::refuse;
  OnSessions sessions{};
  OnPages pages{};
  std::vector<Parameter> params;
  std::string result;  // pass: how it is shown on a held page; answer: the JSON
  std::string why;
};

struct Field {
  std::vector<std::string> path;
  std::string as;  // empty: as it is; origin, site or blank
};

struct EventRow {
  bool shown = false;        // on open pages
  bool about_target = false; // held also while a purchase is live in that target
  bool whole_held = false;
  std::vector<Field> held;   // what is left on a held page
};

// Null for what the table does not know.
const CommandRow* command_row(std::string_view method);
const EventRow* event_row(std::string_view method);
// The names in the table's order, each as often as it stands there.
const std::vector<std::string>& command_names();
const std::vector<std::string>& event_names();

// The fields of `from` that the row names; nothing else.
Json only_fields(const std::vector<Field>& fields, const Json& from);

}  // namespace popvault::guard
