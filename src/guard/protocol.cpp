#include "guard/protocol.hpp"

#include <map>

#include "guard/rules_table.hpp"

namespace popvault::guard {
namespace {

struct Domain {
  Json::Array commands, events;
};

void put(std::map<std::string, Domain>& domains, const std::string& name, bool command) {
  const auto dot = name.find('.');
  if (dot == std::string::npos) return;
  Json one = Json::Object{{"name", name.substr(dot + 1)}};
  if (command) {
    Json::Array parameters;
    for (const Parameter& parameter : command_row(name)->params)
      if (parameter.check != "-") parameters.push_back(Json::Object{{"name", parameter.name}, {"optional", true}, {"type", "any"}});
    one.set("parameters", std::move(parameters));
  }
  Domain& domain = domains[name.substr(0, dot)];
  (command ? domain.commands : domain.events).push_back(std::move(one));
}

}  // namespace

std::string protocol_text() {
  std::map<std::string, Domain> domains;
  for (const std::string& name : command_names())
    if (const CommandRow* const row = command_row(name); row != nullptr && row->kind != CommandRow::Kind::refuse) put(domains, name, true);
  for (const std::string& name : event_names())
    if (const EventRow* const row = event_row(name); row != nullptr && row->shown) put(domains, name, false);
  Json::Array list;
  for (auto& [name, domain] : domains)
    list.push_back(Json::Object{{"domain", name}, {"commands", std::move(domain.commands)}, {"events", std::move(domain.events)}, {"types", Json::Array{}}});
  return Json(Json::Object{{"version", Json::Object{{"major", "1"}, {"minor", "3"}}}, {"domains", std::move(list)}}).dump();
}

}  // namespace popvault::guard
