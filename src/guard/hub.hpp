// Everything that the guard knows, and who is told what: the browser's link, targets, sessions, agents, injectors.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "guard/browser_link.hpp"
#include "guard/endpoint.hpp"
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
  void set_processors(const std::vector<std::string>& origins);

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
  // A frame, popup or worker of a processor: no agent is attached to it.
  bool out_of_bounds(const Target& target) const;
  // Whether agents may know of a target.
  bool visible(const Target& target) const;

  // The guard's own root session.
  void event(const CdpMessage& message, Session& session) override;
  void answer(std::int64_t, const CdpMessage&) override {}

  Loop& loop;
  BrowserLink link;
  Sessions sessions;
  Targets targets;
  ProcessorOrigins processors;
  std::string exchange;
  std::string version;  // the result of Browser.getVersion
  std::string context;  // the browser context that is an agent's default
  std::string browser_id;
  std::set<std::shared_ptr<Agent>> agents;

 private:
  void take_event(const CdpMessage& message);
  void root_event(const CdpMessage& message);
  void drained();

  std::function<void()> browser_gone_;
  std::map<JobId, std::shared_ptr<InjectorLink>> injectors_;
};

}  // namespace popvault::guard
