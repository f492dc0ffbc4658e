#include "daemon/browser.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/origin.hpp"
#include "os/listener.hpp"
#include "os/socket.hpp"

namespace popvault::daemon {
namespace {

constexpr int kConnectMs = 2000;

// Chromium's content/public/common/content_switches.cc, services/network/public/cpp/network_switches.cc and
// base/base_switches.cc.
constexpr std::string_view kRefused[] = {"log-net-log",      "ssl-key-log-file", "proxy-server", "proxy-pac-url",
                                         "proxy-auto-detect", "host-rules",       "host-resolver-rules", "v",
                                         "vmodule",           "net-log-capture-mode", "disable-web-security"};

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto wrong = [] { return fail(Errc::invalid_field, "browser.endpoint looks like http://127.0.0.1:9222"); };
  const auto origin = Origin::parse(text);
  if (!origin || origin->https()) return wrong();
  const std::string& host = origin->host();
  if (host != "127.0.0.1" && host != "localhost" && host != "[::1]") return wrong();
  return Endpoint{host == "[::1]", origin->port()};
}

Result<std::optional<std::string>> enrolled_endpoint(Session& session) {
  PV_ASSIGN(const auto row, session.store().get(store::Table::settings, "browser.endpoint"));
  if (!row || row->body["value"].string() == nullptr) return std::optional<std::string>{};
  return std::optional(*row->body["value"].string());
}

std::optional<std::string> refused_switch(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    // Chromium takes switches with one dash as well.
    const std::size_t start = std::min(argument.find_first_not_of('-'), argument.size());
    if (start == 0 || start > 2) continue;
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(start, equals == argument.npos ? argument.npos : equals - start);
    const std::string value = equals == argument.npos ? "" : argument.substr(equals + 1);
    if (std::find(std::begin(kRefused), std::end(kRefused), name) != std::end(kRefused)) return "--" + name;
    if (name == "remote-debugging-address" && value != "127.0.0.1" && value != "::1" && value != "localhost")
      return "--" + name;
  }
  return std::nullopt;
}

std::string listening_program(Session& session) {
  const auto text = enrolled_endpoint(session);
  const Result<Endpoint> endpoint =
      text && *text ? parse_endpoint(**text) : Result<Endpoint>(fail(Errc::browser_not_enrolled));
  if (!endpoint) return {};
  const auto listener = find_listener(endpoint->ipv6, endpoint->port);
  if (!listener) return {};
  const auto process = find_listener_process(listener->inode, 0);
  return process ? process->executable : std::string{};
}

namespace {

struct Connecting {
  Descriptor socket;
  std::unique_ptr<Watch> watch;
  std::unique_ptr<Timer> timer;
  std::function<void(Result<Descriptor>)> done;
};

void finish(Loop& loop, const std::shared_ptr<Connecting>& one, bool in_time) {
  if (!one->done) return;
  const auto done = std::exchange(one->done, nullptr);
  one->watch.reset();
  // Not from inside its own callback.
  loop.post([one] { one->timer.reset(); });
  const Status connected = in_time ? finish_connect(one->socket.get()) : Status(fail(Errc::browser_unreachable));
  connected ? done(std::move(one->socket)) : done(tl::unexpected(connected.error()));
}

}  // namespace

Status connect_browser(Loop& loop, Session& session, std::function<void(Result<Descriptor>)> done) {
  PV_ASSIGN(const auto text, enrolled_endpoint(session));
  if (!text) return fail(Errc::browser_not_enrolled);
  PV_ASSIGN(const Endpoint endpoint, parse_endpoint(*text));
  PV_ASSIGN(const Listener listener, find_listener(endpoint.ipv6, endpoint.port));
  if (listener.uid != geteuid()) return fail(Errc::browser_refused, "the port belongs to another user");
  if (!listener.loopback_only) return fail(Errc::browser_refused, "it listens beyond loopback");
  // Where the process was last found: looking through all of /proc costs more than the fill's first steps.
  static pid_t last_seen = 0;
  PV_ASSIGN(const ListenerProcess process, find_listener_process(listener.inode, last_seen));
  last_seen = process.pid;
  if (const auto name = refused_switch(process.arguments)) return fail(Errc::browser_refused, *name);
  const auto one = std::make_shared<Connecting>();
  PV_ASSIGN(one->socket, begin_connect_loopback(endpoint.ipv6, endpoint.port));
  one->done = std::move(done);
  one->watch = loop.watch(one->socket.get(), [] {});
  one->watch->pause();
  one->watch->when_writable([&loop, one] { finish(loop, one, true); });
  one->timer = loop.after(kConnectMs, [&loop, one] { finish(loop, one, false); });
  return {};
}

}  // namespace popvault::daemon
