// The guard's own eyes: a session of its own in every page and frame, which pauses each navigation to a processor before it
// is sent, and a book of documents that says which of them an agent could have touched.
//
// A page is *held off* from the moment its top-level document heads to a processor until another document is there: agents'
// sessions are made anew without what they planted, then the navigation goes on, and the rule lets only input and its like
// through. A
// frame that heads to a processor is remembered, since the browser says no URL when it attaches sessions to it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/browser_link.hpp"
#include "guard/loop.hpp"
#include "guard/rules.hpp"
#include "guard/sessions.hpp"

namespace popvault::guard {

class Hub;

struct Document {
  std::string frame, loader, origin, target;
  bool tainted = true;
};

struct Page {
  std::string id, session;  // of the guard
  bool held_off = false;    // a processor's document is, or is about to be, at the top
  bool sealed = false, redacted = false;
  Names hidden_frames;      // a processor's, below the top
  bool unseen = false;      // opened for an injector: agents do not know of it
  std::string context;      // of its own, for one purchase: it ends with the unsealing, unseen
  const void* sealer = nullptr;                          // whose seal it is; null: its injector is gone
  std::set<std::pair<std::string, std::string>> filled;  // frame and loader of what was sealed
  std::unique_ptr<Timer> grace;
};

class Pages {
 public:
  explicit Pages(Hub& hub) : hub_(hub) {}

  // Of a guard's session: attached, and what it says.
  void attached(Session& session, bool waiting);
  void event(const CdpMessage& message, Session& session);
  void target_changed(const std::string& id);
  void target_gone(const std::string& id);
  void processors_changed();

  Page* find(std::string_view id);
  const Page* find(std::string_view id) const;
  // The page that a target stands in, or null.
  Page* of_target(std::string_view target);
  // A processor's document is, or is about to be, at the top.
  bool is_processor(std::string_view page) const;
  // A frame or popup that belongs to a processor, or is on its way to one.
  bool out_of_bounds(std::string_view target) const;
  // An agent's session can script this target from now on.
  void touched(std::string_view target);
  bool clean(std::string_view page, std::string_view frame) const;

  // Asks the browser for the page's frames, so that none is missed; then `done`.
  void look(std::string_view page, std::function<void()> done);
  // Popvault.seal and its like; the texts are of errors, empty when done.
  // `done` when the browser holds the page's redirects, which are failed where they would carry a body on.
  void seal(const void* sealer, std::string_view page, const std::vector<std::string>& frames, const std::function<void(const std::string&)>& done);
  std::string unseal(std::string_view page);
  std::string redact(std::string_view page);
  // Its seals stay until the documents are gone, or a minute has passed.
  void sealer_gone(const void* sealer);
  // Opened for an injector: unseen until unseal; for good in a context of its own.
  void unseen_page(const std::string& id, const void* sealer, const std::string& own_context);

 private:
  void paused(const Json& params, Session& session);
  void hold_off(Page& page);
  void let_back(Page& page);
  void navigated(const Json& frame, const Session& session);
  void learn(const Json& tree, const Session& session);
  void document_gone(std::string_view frame);
  void mark(const std::string& frame, const std::string& loader, const Session& session);
  void unmark(std::string_view frame);
  void clear(const std::string& page);
  void watch(const Session& session, BrowserLink::Reply done = {});
  void watch_page(std::string_view page, const std::function<void()>& done);
  void answered(const Json& params, const Session& session);
  bool reached_by_agent(std::string_view target) const;
  // An agent can, or could, run scripts in this document: what its origin keeps in this context is the agent's from then on.
  void taint(Document& document);

  Hub& hub_;
  std::map<std::string, Page, std::less<>> pages_;
  std::map<std::string, Document, std::less<>> documents_;  // by frame
  std::set<std::pair<std::string, std::string>> scripted_;  // browser context and origin
  std::set<std::string, std::less<>> touched_;              // targets that an agent's session was attached to
  std::map<std::string, std::string, std::less<>> heading_;  // frames on their way to a processor, or there: the loader
};

}  // namespace popvault::guard
