// browser.
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/display.hpp"
#include "cli/command.hpp"
#include "cli/owner_session.hpp"

namespace popvault::cli {
namespace {

// What the browser needs to show itself; the daemon takes no others.
constexpr std::array<const char*, 12> kVariables{"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE",
                                                 "XDG_CURRENT_DESKTOP", "DBUS_SESSION_BUS_ADDRESS", "HOME", "LANG", "LC_ALL",
                                                 "TZ", "PULSE_SERVER"};

Json environment() {
  Json out{Json::Object{}};
  for (const char* name : kVariables)
    if (const char* const value = std::getenv(name); value != nullptr && *value != '\0') out.set(name, value);
  return out;
}

}  // namespace

Result<Output> run_browser(const Context& context) {
  const BrowserOptions& options = context.args.browser;
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (options.stop) {
    PV_ASSIGN(const Json result, session.call("browser.stop"));
    return Output{result, result["stopped"].bool_or(false) ? "the guarded browser was stopped\n" : "no guarded browser was running\n"};
  }
  Json params = Json::Object{{"environment", environment()}, {"headless", options.headless}};
  if (options.port) params.set("port", *options.port);
  if (options.require_token) params.set("require_token", true);
  if (options.profile) params.set("profile", std::filesystem::absolute(*options.profile).lexically_normal().string());
  PV_ASSIGN(const Json result, session.call("browser.start", std::move(params)));
  const std::string endpoint = escape_ascii(result["endpoint"].text_or("?"));
  return Output{result, "endpoint: " + endpoint +
                            "\nGive it to your agent as the CDP endpoint. Stop the browser with: popvault browser --stop\n"};
}

}  // namespace popvault::cli
