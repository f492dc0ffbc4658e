// One use of one injector: started, spoken to over its control socket, ended.
//
// The conversation is src/rpc/injector_protocol.hpp. `ready` is asked when every field was found: it gives the bundle after
// it journalled the use, or none when aliases are to be typed; an error ends the injector with nothing handed over.
// `armed` and `wanted` follow as the protocol says. `ended` is called exactly once. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
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

  struct Answers {
    std::function<Result<std::optional<Descriptor>>(const injector::Ready&)> ready;
    std::function<Status()> armed;
    std::function<Result<Descriptor>()> wanted;
    std::function<void(const gate::UseEnd&)> ended;
  };
  // Where the browser is: a connection, and behind a guard also its pipe.
  struct Browser {
    Descriptor connection, pipe;
  };
  // `owner` (an agent's id) names whose it is, for stop_agent. Fails before anything was started.
  Status start(const injector::Job& job, const std::string& purchase, const std::string& owner, Browser browser, Answers answers);
  bool running(const std::string& purchase) const { return running_.contains(purchase); }
  // Those that have not armed their page yet, and those that wait for its request.
  std::size_t count() const noexcept { return running_.size() - armed(); }
  std::size_t armed() const noexcept;
  // Closes the control socket: the injector clears what it typed and ends. Before the handing over `ended` is
  // called at once, after it when the injector is gone.
  void stop_all();
  void stop_agent(const std::string& agent);
  // Only those that have no bundle yet; of every agent when none is named.
  void stop_waiting(const std::string& agent = {});
  // Those in the guarded browser.
  void stop_guarded();
  void stop_purchase(const std::string& purchase);

 private:
  struct Running;
  void readable(const std::string& purchase);
  void on_ready(Running& one, const injector::Ready& ready);
  void on_armed(Running& one);
  void hand_over(Running& one, Result<Descriptor> bundle);
  void wait_for(Running& one, std::int64_t ms);
  void end(const std::string& purchase, Result<injector::Done> said);
  void stop(Running& one);

  Loop* loop_;
  Spawner* spawner_;
  std::map<std::string, std::shared_ptr<Running>> running_;
};

}  // namespace popvault::daemon
