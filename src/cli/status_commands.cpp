// status: what the daemon says, or what the files say when there is none.
#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/local_files.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"

namespace popvault::cli {
namespace {

constexpr const char* kShown[] = {
    "state",         "mode",    "isolation",         "frozen",     "expires_at",
    "vault",         "home",    "version",           "build",      "secret_memory",
    "browser",       "records", "trash", "pending_approvals", "grants", "watcher", "bad_proofs", "failed_recoveries",
    "proof_strength", "journal_key"};

// Only an unlocked vault can tell whether it has words.
std::string recovery_line(const Json& status) {
  if (status["state"].text_or("") != "unlocked") return {};
  const Json& recovery = status["recovery"];
  if (recovery.is_null()) return "recovery: no words yet; make some with popvault recovery create\n";
  return "recovery: words made " + escape_for_terminal(recovery["created_at"].text_or("?")) + ", " +
         escape_for_terminal(recovery["recipient"].text_or("?")) + "\n";
}

std::string epoch_line(const Json& status) {
  const Json& epoch = status["epoch"];
  if (epoch["current"].is_null()) return {};
  const bool overdue = epoch["overdue"].bool_or(false);
  return "epoch: " + std::to_string(epoch["current"].int_or(0)) + ", the next is due " +
         escape_for_terminal(epoch["due_at"].text_or("?")) + (overdue ? " (overdue: unlock the vault)" : "") + "\n";
}

std::string backup_line(const Json& status) {
  if (status["state"].text_or("") != "unlocked") return {};
  const std::string* at = status["last_backup"].string();
  return at != nullptr ? "last verified backup: " + escape_for_terminal(*at) + "\n"
                       : "last verified backup: none; make one with popvault backup create FILE\n";
}

std::string agent_lines(const Json& status) {
  std::string out;
  if (const auto* expiring = status["agents_expiring"].array())
    for (const Json& agent : *expiring)
      out += "the key of agent " + escape_for_terminal(agent["name"].text_or("?")) + " ends " +
             escape_for_terminal(agent["expires_at"].text_or("?")) + "; give it a new one with popvault agent rotate\n";
  if (const auto* anomalies = status["agent_anomalies"].array())
    for (const Json& anomaly : *anomalies)
      out += "agent " + escape_for_terminal(anomaly["name"].text_or("?")) + ": " + anomaly_text(anomaly) +
             "; if that is not yours, popvault agent rotate or revoke\n";
  return out;
}

Output status_output(const Json& status) {
  std::string text;
  for (const char* name : kShown)
    if (const Json* value = status.find(name); value != nullptr && !value->is_null())
      text += plain_line(name, *value);
  text += epoch_line(status) + recovery_line(status) + backup_line(status) + agent_lines(status);
  if (const auto* warnings = status["warnings"].array())
    for (const Json& warning : *warnings) text += plain_line("warning", warning);
  return {status, std::move(text)};
}

Json stopped_status(const Paths& paths) {
  const std::string mode = mode_on_disk(paths.home);
  return Json::Object{{"state", "stopped"},
                      {"mode", mode.empty() ? Json() : Json(mode)},
                      {"isolation", "user"},
                      {"version", POPVAULT_VERSION},
                      {"home", paths.home}};
}

}  // namespace

Result<Output> show_status(const Context& context) {
  auto session = OwnerSession::open(context, IfStopped::refuse);
  if (!session && session.error().code == Errc::daemon_unreachable)
    return status_output(stopped_status(context.paths));
  if (!session) return tl::unexpected(std::move(session.error()));
  PV_ASSIGN(const Json status, session->call("vault.status"));
  return status_output(status);
}

}  // namespace popvault::cli
