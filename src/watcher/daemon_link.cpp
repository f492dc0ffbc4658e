#include "watcher/daemon_link.hpp"

#include <fcntl.h>
#include <sys/file.h>

namespace popvault::watcher {
namespace {

// Under logind's usual delay of sleep (InhibitDelayMaxSec, 5 s).
constexpr std::chrono::seconds kPatience{4};

}  // namespace

Status DaemonLink::open() {
  connection_.reset();
  PV_ASSIGN(client::Connection connection, client::Connection::open(paths_.owner_socket()));
  connection.keep_events();
  connection_.emplace(std::move(connection));
  const auto greet = [this]() -> Status {
    PV_ASSIGN(const Json hello, call("owner.hello"));
    PV_TRY(client::check_home(hello, paths_.home));
    PV_TRY(call("events.subscribe", Json::Object{{"client", "watcher"}}));
    return {};
  };
  const Status greeted = greet();
  if (!greeted) connection_.reset();
  return greeted;
}

Result<Json> DaemonLink::call(std::string_view method, const Json& params) {
  if (!connection_) return fail(Errc::daemon_unreachable);
  client::CallOptions options;
  options.timeout = kPatience;
  auto reply = connection_->call(method, params, options);
  if (reply) return std::move(*reply);
  const Errc code = reply.error().code;
  if (code == Errc::daemon_unreachable || code == Errc::timeout) connection_.reset();
  return tl::unexpected<Error>(reply.error());
}

std::optional<Json> DaemonLink::next_event() {
  if (!connection_) return std::nullopt;
  auto event = connection_->next_event();
  if (event) return std::move(*event);
  connection_.reset();
  return std::nullopt;
}

Status DaemonLink::lock() {
  if (!connection_) PV_TRY(open());
  PV_TRY(call("vault.lock"));
  return {};
}

Result<Json::Array> DaemonLink::waiting() {
  PV_ASSIGN(const Json result, call("purchase.list", Json::Object{{"limit", 100}, {"status", "awaiting_approval"}}));
  const Json::Array* const purchases = result["purchases"].array();
  if (purchases == nullptr) return fail(Errc::internal, "the reply has no purchases");
  return *purchases;
}

Result<std::string> DaemonLink::hook() {
  PV_ASSIGN(const Json result, call("config.get", Json::Object{{"key", "approvals.hook"}}));
  return result["settings"]["approvals.hook"].text_or("");
}

bool DaemonLink::daemon_lives() const {
  const Descriptor lock(::open((paths_.home + "/.lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  return lock && flock(lock.get(), LOCK_SH | LOCK_NB) != 0;
}

}  // namespace popvault::watcher
