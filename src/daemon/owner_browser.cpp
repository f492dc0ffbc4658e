// owner.sock: the guarded browser.

#include <algorithm>

#include "daemon/browser.hpp"
#include "daemon/handlers.hpp"
#include "gate/recipes.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon {

// What no agent may touch: it is told to the guard whenever something was written.
void Application::tell_processors() {
  if (!guard.running() || session.state() != State::unlocked || session.store().changes() == processors_of) return;
  processors_of = session.store().changes();
  if (const auto origins = gate::processor_origins(session); origins) guard.set_processors(*origins);
}

Json guarded_browser(const Guard& guard) {
  if (!guard.running()) return {};
  Json out;
  out.set("endpoint", guard.endpoint());
  out.set("headless", guard.headless());
  out.set("kind", "guarded");
  return out;
}

namespace owner_methods {
namespace {

// What a browser needs of the owner's surroundings: where to show itself, whose home it is, and how dates look.
constexpr std::string_view kVariables[] = {"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE",
                                           "XDG_CURRENT_DESKTOP", "DBUS_SESSION_BUS_ADDRESS", "HOME", "LANG", "LC_ALL", "TZ",
                                           "PULSE_SERVER"};

Result<std::vector<std::string>> environment_of(const Json& given) {
  std::vector<std::string> out{"PATH=/usr/bin:/bin"};
  const auto* const members = given.object();
  if (members == nullptr) return out;
  for (const auto& member : *members) {
    const std::string* const value = member.second.string();
    const bool known = std::find(std::begin(kVariables), std::end(kVariables), member.first) != std::end(kVariables);
    if (!known || value == nullptr || value->size() > 2048 || value->find('\0') != std::string::npos)
      return fail(Errc::invalid_field, "environment: " + member.first);
    out.push_back(member.first + "=" + *value);
  }
  return out;
}

Result<std::string> text_setting(Session& session, std::string_view key) {
  PV_ASSIGN(const auto row, session.store().get(store::Table::settings, key));
  return row ? row->body["value"].text_or("") : std::string{};
}

}  // namespace

Status browser_start(Application& app, Call& call) {
  Params in(call.params);
  guard::Configure settings;
  settings.headless = in.optional_flag("headless", false);
  settings.port = static_cast<std::uint16_t>(in.optional_integer("port", 0, 65535, 0));
  settings.require_token = in.optional_flag("require_token", false);
  settings.profile = in.optional_text("profile", 1024).value_or(app.session.home() + "/browser");
  const Json& environment = in.any("environment");
  PV_TRY(in.done());
  if (settings.profile.empty() || settings.profile.front() != '/') return fail(Errc::invalid_field, "profile is a whole path");
  PV_ASSIGN(settings.environment, environment_of(environment));
  PV_ASSIGN(settings.program, text_setting(app.session, "browser.program"));
  PV_ASSIGN(settings.exchange, text_setting(app.session, "browser.exchange"));
  PV_ASSIGN(settings.processors, gate::processor_origins(app.session));
  app.processors_of = app.session.store().changes();
  return app.guard.start(settings, [&app, reply = call.reply](const Result<guard::Started>& started) {
    if (!started) return reply->error(started.error());
    app.announce("browser_started");
    reply->ok(guarded_browser(app.guard));
  });
}

Status browser_stop(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  // Those in the middle of a use end first: what they typed is cleared.
  app.injections.stop_guarded();
  Json out;
  out.set("stopped", app.guard.stop());
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace owner_methods
}  // namespace popvault::daemon
