// The watcher's side of owner.sock: subscribed, and made anew while the daemon lives.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/connection.hpp"
#include "os/paths.hpp"

namespace popvault::watcher {

class DaemonLink {
 public:
  explicit DaemonLink(const Paths& paths) : paths_(paths) {}

  // Connects and subscribes. Fails with daemon_unreachable, wrong_peer or wrong_home.
  Status open();
  bool is_open() const noexcept { return connection_.has_value(); }
  int descriptor() const noexcept { return connection_ ? connection_->descriptor() : -1; }
  // Gives one event's params; nothing when there is none now. A connection that ended is closed.
  std::optional<Json> next_event();

  Status lock();
  // The purchases that wait for the owner.
  Result<Json::Array> waiting();
  // The setting approvals.hook; empty when there is none.
  Result<std::string> hook();

  // Whether a daemon has this home: it holds the lock of the home as long as it lives.
  bool daemon_lives() const;

 private:
  Result<Json> call(std::string_view method, const Json& params = {});

  Paths paths_;
  std::optional<client::Connection> connection_;
};

}  // namespace popvault::watcher
