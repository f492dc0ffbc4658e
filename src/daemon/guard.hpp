// The guarded browser, as far as the daemon knows it: one popvault-browser, started and spoken to over its control socket
// (src/rpc/guard_protocol.hpp), and a connection to it for each injector. Nothing of a page comes here. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/injection.hpp"
#include "daemon/loop.hpp"
#include "os/spawner.hpp"
#include "rpc/guard_protocol.hpp"

namespace popvault::daemon {

class Guard {
 public:
  Guard(Loop& loop, Spawner& spawner) : loop_(&loop), spawner_(&spawner) {}
  ~Guard();

  using Started = std::function<void(Result<guard::Started>)>;
  // Fails with browser_running; else `started` is called exactly once: no_browser, port_taken, bad_profile, guard_lost, timeout.
  Status start(const guard::Configure& settings, Started started);
  // Ends the guard and its browser; false when there was none.
  bool stop();

  bool running() const noexcept { return endpoint_.has_value(); }
  // "http://127.0.0.1:PORT", with the token's path where one is required. Only while it runs.
  std::string endpoint() const;
  bool headless() const noexcept { return headless_; }

  // A connection for one injector. `opened` is called exactly once, with guard_lost at the worst.
  using Opened = std::function<void(Result<Injections::Browser>)>;
  void open(const JobId& job, injector::Strength strength, Opened opened);
  // The job is over.
  void close(const JobId& job);
  // What no agent may touch, when it changed.
  void set_processors(const std::vector<std::string>& origins);
  // Told when the guard ended by itself.
  void when_lost(std::function<void()> lost) { lost_ = std::move(lost); }

 private:
  void readable();
  void lost(const Error& error);
  void read_log();
  Status send(const Bytes& message);

  Loop* loop_;
  Spawner* spawner_;
  Descriptor control_, log_;
  pid_t pid_ = 0;
  std::unique_ptr<Watch> control_watch_, log_watch_;
  std::unique_ptr<Timer> deadline_;
  Started started_;
  std::optional<guard::Started> endpoint_;
  bool headless_ = false;
  std::vector<std::string> processors_;
  std::map<JobId, Opened> opening_;
  std::function<void()> lost_;
};

}  // namespace popvault::daemon
