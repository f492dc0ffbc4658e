// The browser's sessions, and whose they are. A session is made by its owner's attaching, or by auto-attach below one of its
// owner's sessions, and never changes hands.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "guard/browser_link.hpp"
#include "guard/rules.hpp"

namespace popvault::guard {

struct Session;

// An agent's client, an injector, or the guard itself.
class Peer : public Caller {
 public:
  virtual void event(const CdpMessage& message, Session& session) = 0;
};

// What an agent planted for documents to come; taken out while a processor's document is in the page.
struct Planted {
  std::string identifier;  // Page.addScriptToEvaluateOnNewDocument's answer, as the agent knows it
  std::string current;     // as the browser knows it now; empty while taken out
  Json params;
};

struct Session {
  std::string id;
  Peer* owner = nullptr;
  std::string parent;  // session
  std::string target;
  Place::Kind kind = Place::Kind::browser;
  bool hidden = false;  // the owner has not been told, and may not use it
  bool waiting = false; // for Runtime.runIfWaitingForDebugger
  std::vector<Planted> planted;
};

class Sessions {
 public:
  Session& add(std::string id, Peer& owner, std::string parent, std::string target, Place::Kind kind);
  Session* find(std::string_view id);
  // With what is below it.
  void remove(std::string_view id);
  void remove_all(const Peer& owner);
  std::map<std::string, Session, std::less<>>& all() noexcept { return all_; }

 private:
  std::map<std::string, Session, std::less<>> all_;
};

}  // namespace popvault::guard
