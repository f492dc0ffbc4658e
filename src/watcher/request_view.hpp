// What is told to others about a purchase that waits for the owner: a notification's text, and the object for the hook.
//
// Made from an item of purchase.list by naming each member that goes out. Text of an agent is escaped as on a terminal
// (\u{XXXX} for what moves, hides or turns), addresses and programs to ASCII.
#pragma once

#include <string>

#include "rpc/json.hpp"

namespace popvault::watcher {

struct Notice {
  std::string summary;  // plain text
  std::string body;     // with &, < and > as entities: desktops read markup there
};

// Amount, merchant, agent and what the agent says; no card. Short: each part is cut.
Notice notice_of(const Json& purchase);

// What can be said while the vault is locked.
Notice locked_notice();

// {"what":"approval","purchase",...}: docs/ARCHITECTURE.md, "The watcher". The card as its masked number and label.
Json request_of(const Json& purchase);

}  // namespace popvault::watcher
