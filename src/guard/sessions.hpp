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
  virtual bool is_agent() const { return false; }
  virtual bool is_injector() const { return false; }
};

// A command that set something up for a session: made again when the session is made anew.
struct Standing {
  std::string method;
  Json params;
  std::string identifier;  // a planted script's, as the agent knows it; a binding's name
  std::string current;     // as the browser knows it now
  bool out = false;        // not in force: a processor's document is at the top
};

struct Session {
  std::string id;
  std::string name;  // as its owner knows it
  Peer* owner = nullptr;
  std::string parent;  // session
  std::string target;
  Place::Kind kind = Place::Kind::browser;
  bool agent = false;   // the owner is an agent
  std::string loader;   // of the last held Page.frameNavigated that was told
  bool hidden = false;  // the owner has not been told, and may not use it
  std::vector<Standing> standing;
  Names streams;  // of Page.printToPDF
};

class Sessions {
 public:
  Session& add(std::string id, Peer& owner, std::string parent, std::string target, Place::Kind kind);
  Session* find(std::string_view id);
  // By the owner's name for it.
  Session* find(const Peer& owner, std::string_view name);
  // With what is below it.
  void remove(std::string_view id);
  void remove_all(const Peer& owner);
  std::map<std::string, Session, std::less<>>& all() noexcept { return all_; }
  const std::map<std::string, Session, std::less<>>& all() const noexcept { return all_; }

 private:
  std::map<std::string, Session, std::less<>> all_;
};

}  // namespace popvault::guard
