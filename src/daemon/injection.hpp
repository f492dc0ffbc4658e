// One use of one injector: started, spoken to over its control socket, ended.
//
// The conversation is src/rpc/injector_protocol.hpp. `ready` is asked when every field was found: it journals
// the use and gives the bundle, or an error, which ends the injector with nothing handed over. `done` is called
// exactly once. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/loop.hpp"
#include "gate/gate.hpp"
#include "os/descriptor.hpp"
#include "os/spawner.hpp"
#include "rpc/injector_protocol.hpp"

namespace popvault::daemon {

class Injections {
 public:
  Injections(Loop& loop, Spawner& spawner) : loop_(&loop), spawner_(&spawner) {}

  using Ready = std::function<Result<Descriptor>(const injector::Ready&)>;
  using Ended = std::function<void(const gate::UseEnd&)>;
  // `owner` (an agent's id) names whose it is, for stop_agent. Fails before anything was started.
  Status start(const injector::Job& job, const std::string& purchase, const std::string& owner, Descriptor browser,
               Ready ready, Ended ended);
  bool running(const std::string& purchase) const { return running_.contains(purchase); }
  std::size_t count() const noexcept { return running_.size(); }
  // Closes the control socket: the injector clears what it typed and ends. Before the handing over `ended` is
  // called at once, after it when the injector is gone.
  void stop_all();
  void stop_agent(const std::string& agent);
  // Only those that have no bundle yet; of every agent when none is named.
  void stop_waiting(const std::string& agent = {});
  void stop_purchase(const std::string& purchase);

 private:
  struct Running;
  void readable(const std::string& purchase);
  void hand_over(Running& one, const injector::Ready& ready);
  void end(const std::string& purchase, Result<injector::Done> said);
  void stop(Running& one);

  Loop* loop_;
  Spawner* spawner_;
  std::map<std::string, std::shared_ptr<Running>> running_;
};

}  // namespace popvault::daemon
