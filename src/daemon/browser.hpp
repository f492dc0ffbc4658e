// The owner's browser, as far as the daemon knows it: an enrolled endpoint on loopback, what the kernel tells of
// the process that listens there, and a connection to it on which nothing has been written.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "daemon/loop.hpp"
#include "session/session.hpp"
#include "os/descriptor.hpp"

namespace popvault::daemon {

struct Endpoint {
  bool ipv6 = false;
  std::uint16_t port = 0;
};
// "http://127.0.0.1:9222", "http://localhost:9222" or "http://[::1]:9222"; else invalid_field.
Result<Endpoint> parse_endpoint(std::string_view text);

// The setting, or none.
Result<std::optional<std::string>> enrolled_endpoint(Session& session);
// Connects to the enrolled browser after its listener was checked: of our user, on loopback alone, and without
// switches that log, forward or weaken what it loads. Fails with browser_not_enrolled, browser_unreachable,
// browser_refused; at once, or later through `done`, which is called exactly once if this succeeds. A browser
// that does not accept keeps nobody waiting but its caller.
Status connect_browser(Loop& loop, Session& session, std::function<void(Result<Descriptor>)> done);

// The program that listens at the enrolled endpoint, as a label; empty when none of ours does.
std::string listening_program(Session& session);

// The switch of this command line that refuses a browser; none when it is fine.
std::optional<std::string> refused_switch(const std::vector<std::string>& arguments);

}  // namespace popvault::daemon
