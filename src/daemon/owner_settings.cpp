// owner.sock: settings.

#include <climits>
#include <cstdlib>

#include "daemon/browser.hpp"
#include "daemon/handlers.hpp"
#include "os/trusted_program.hpp"
#include "rpc/params.hpp"
#include "session/personal.hpp"

namespace popvault::daemon::owner_methods {
namespace {
Json default_of(std::string_view key) {
  if (key == "allow_loopback_http") return false;
  return key == kApprovalsProof ? Json("fresh") : Json();
}

Result<Json> settings_json(Session& session, const std::string& only) {
  Json settings{Json::Object{}};
  for (const char* key : {"allow_loopback_http", "approvals.hook", kApprovalsProof.data(), "browser.endpoint",
                          "browser.exchange", "browser.program", "journal.retention_days", "lock.after", "lock.idle"}) {
    if (!only.empty() && only != key) continue;
    PV_ASSIGN(const auto row, session.store().get(store::Table::settings, key));
    settings.set(key, row ? row->body["value"] : default_of(key));
  }
  if (settings.object()->empty()) return fail(Errc::not_found, "setting");
  Json out;
  out.set("settings", std::move(settings));
  return out;
}

constexpr std::int64_t kShortestLock = 60;
constexpr std::int64_t kLongestLock = 24 * 3600;

Status check_retention(const Json& value) {
  const std::int64_t days = value.int_or(0);
  return value.is_null() || (days >= kLeastRetentionDays && days <= kMostRetentionDays)
             ? Status{}
             : fail(Errc::invalid_field, "journal.retention_days is a number of days from 7 to 36500, or null");
}

// Agents read and write what is in it, so the vault's files are neither in it nor above it.
Status check_exchange(const std::string& folder, const std::string& home) {
  PV_TRY(open_own_folder(folder));
  char real[PATH_MAX];
  const std::string vault = realpath(home.c_str(), real) != nullptr ? real : home;
  const auto within = [](const std::string& inner, const std::string& outer) { return (inner + "/").starts_with(outer + "/"); };
  if (within(folder, vault) || within(vault, folder)) return fail(Errc::insecure_file, folder + " holds the vault, or lies in it");
  return {};
}

// A path that is looked at now, and again each time before it is used.
Status check_path(const std::string& key, const Json& value, const std::string& home) {
  if (value.is_null()) return {};
  if (value.string() == nullptr) return fail(Errc::invalid_field, key + " is a whole path, or null");
  Status fits;
  if (key == "browser.exchange")
    fits = check_exchange(*value.string(), home);
  else if (const auto program = open_trusted_program(*value.string()); !program)
    fits = tl::unexpected(program.error());
  if (fits) return {};
  return fail(Errc::invalid_field, key + ": " + fits.error().detail + (fits.error().code == Errc::not_found ? " is not there" : ""));
}

Status check_setting(const std::string& key, const Json& value, const std::string& home) {
  if (key == "allow_loopback_http")
    return value.boolean() != nullptr ? Status{} : fail(Errc::invalid_field, "allow_loopback_http is true or false");
  if (key == "lock.after" || key == "lock.idle") {
    const std::int64_t seconds = value.int_or(value.is_null() ? kShortestLock : 0);
    const bool fits = seconds >= kShortestLock && seconds <= kLongestLock;
    return fits ? Status{} : fail(Errc::invalid_field, key + " is 60 to 86400 seconds, or null");
  }
  if (key == kApprovalsProof) {
    const std::string level = value.text_or("");
    return level == "fresh" || level == "session" ? Status{} : fail(Errc::invalid_field, "approvals.proof is fresh or session");
  }
  if (key == kRetentionRow) return check_retention(value);
  // The watcher looks at the file each time: it may be changed after this.
  if (key == "approvals.hook")
    return value.is_null() || (value.string() != nullptr && plain_absolute_path(*value.string()))
               ? Status{}
               : fail(Errc::invalid_field, "approvals.hook is the whole path of a program, without . and .., or null");
  if (key == "browser.program" || key == "browser.exchange") return check_path(key, value, home);
  if (key != "browser.endpoint") return fail(Errc::not_found, "setting");
  if (value.is_null()) return {};
  if (value.string() == nullptr) return fail(Errc::invalid_field, "browser.endpoint is an address");
  PV_TRY(parse_endpoint(*value.string()));
  return {};
}
}  // namespace

Status config_get(Application& app, Call& call) {
  Params in(call.params);
  const std::string key = in.optional_text("key", 64).value_or("");
  PV_TRY(in.done());
  PV_ASSIGN(Json out, settings_json(app.session, key));
  call.reply->ok(std::move(out));
  return {};
}

Status config_set(Application& app, Call& call) {
  Params in(call.params);
  const std::string key = in.text("key", 64);
  const Json& value = in.any("value");
  PV_TRY(in.done());
  if (!in.has("value")) return fail(Errc::invalid_params, "value is missing");
  PV_TRY(check_setting(key, value, app.session.home()));
  PV_ASSIGN(auto row, app.session.store().get(store::Table::settings, key));
  store::Row next = row ? *row : store::Row{key, 0, {}};
  next.body.set("value", value);
  PV_ASSIGN(auto tx, app.session.begin());
  PV_TRY(tx.put(store::Table::settings, next));
  Json body;
  body.set("key", key);
  body.set("value", value);
  PV_TRY(tx.journal(journal::Kind::config_set, std::move(body)));
  PV_TRY(app.session.commit(tx));
  app.injections.stop_waiting();
  if (key == "lock.after") PV_TRY(app.session.keep_time());
  PV_ASSIGN(Json out, settings_json(app.session, ""));
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
