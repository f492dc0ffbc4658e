// Everything that the guard knows, and who is told what: the browser's link, targets, sessions, agents, injectors.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "guard/browser_link.hpp"
#include "guard/endpoint.hpp"
#include "guard/pages.hpp"
#include "guard/sessions.hpp"
#include "guard/targets.hpp"
#include "rpc/guard_protocol.hpp"

namespace popvault::guard {

class Agent;
class InjectorLink;

class Hub final : public Peer {
 public:
  Hub(Loop& loop, Descriptor commands, Descriptor answers, std::string exchange, std::function<void()> browser_gone);
  ~Hub() override;

  // Asks the browser who it is and makes the context that agents work in; `ready(false)`: it does not speak the protocol.
  void start(std::function<void(bool)> ready);
  // An origin leaves the list only when the browser starts again.
  void add_processors(const std::vector<std::string>& origins);
  // Downloads of a browser context: into the exchange folder, or none.
  void set_downloads(const std::string& context);

  // Whether a WebSocket's path names anything.
  bool knows(std::string_view path) const;
  // A client's WebSocket; null when the path names nothing.
  std::shared_ptr<SocketUser> connect(std::string_view path, std::shared_ptr<Socket> socket);
  void agent_gone(Agent& agent);
  // The stream's other end for an injector, or none.
  Descriptor open_injector(const JobId& id, Strength strength);
  void close_injector(const JobId& id);
  void injector_gone(InjectorLink& injector);

  // Of what is attached in this session.
  Place place_of(const Session& session) const;
  Place place_of_target(const Target& target) const;
  // Whether agents may know of a target, and attach to it: not a processor's frame, nor a page that is not theirs yet.
  bool visible(const Target& target) const;
  // As agents may see it: without URL and title while a value may be in the page.
  Json told(const Target& target) const;
  Json told(const Target& target, Json info) const;

  // Agents' sessions (hub_agents.cpp). In a frame that is out of bounds they are detached; of a page that is sealed, what is
  // under way for them is cut.
  void hide_frame(std::string_view target);
  void hide(Session& session, bool told);
  void cut(std::string_view page);
  // A processor's document comes to the page: agents' sessions are made anew, with what the rule allows there.
  void hold_off(const std::string& page);
  // The navigation that was held is over: its loader, or none when it came to nothing.
  void committed(const std::string& page, const std::string& loader);
  // A processor's document came to the page.
  void navigated(const std::string& page, const Json& frame);
  // Another document is there: what stood before is put back.
  void let_back(const std::string& page);
  void show_page(const std::string& page);
  // Popvault.open: the target's id, or empty. `own`: in a browser context of its own, which no agent sees.
  void open_page(const std::string& url, bool own, const void* sealer, const std::function<void(const std::string&)>& done);
  bool is_own(const std::string& browser_context) const { return own_contexts_.count(browser_context) != 0; }
  // With all its pages.
  void end_context(const std::string& own);
  // A page's id is not known yet: what came meanwhile waits.
  bool opening() const noexcept { return opening_ != 0; }
  void when_opened(std::function<void()> task) { after_opening_.push_back(std::move(task)); }

  // The guard's own root session.
  void event(const CdpMessage& message, Session& session) override;
  void answer(std::int64_t, const CdpMessage&) override {}

  Loop& loop;
  BrowserLink link;
  Sessions sessions;
  Targets targets;
  ProcessorOrigins processors;
  Pages pages{*this};
  std::string exchange;
  std::string version;  // the result of Browser.getVersion
  std::string context;  // the browser context that is an agent's default
  std::string browser_id;
  std::set<std::shared_ptr<Agent>> agents;

 private:
  void take_event(const CdpMessage& message);
  void root_event(const CdpMessage& message);
  void attached(const Json& params, const std::string& parent);
  void drained();
  void open_in(const std::string& where, const std::string& url, const void* sealer, const std::function<void(const std::string&)>& done);
  std::vector<Session*> agents_in(std::string_view page);

  std::function<void()> browser_gone_;
  int opening_ = 0;
  std::set<std::string, std::less<>> fresh_;  // what came while a page was being opened
  std::set<std::string, std::less<>> hidden_tabs_;
  std::set<std::string, std::less<>> own_contexts_;
  std::vector<std::function<void()>> after_opening_;
  std::map<JobId, std::shared_ptr<InjectorLink>> injectors_;
};

}  // namespace popvault::guard
