// agent add, list, rotate, suspend, resume, revoke. Keys are made here; the daemon learns their fingerprints.
#include <unistd.h>

#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/local_files.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"
#include "crypto/digest.hpp"
#include "crypto/random.hpp"

namespace popvault::cli {
namespace {

constexpr std::size_t kFirst = 12;  // characters of the key that may be kept and shown
constexpr std::size_t kLast = 4;

// The agent's own credential, to be printed: an ordinary text, unlike what is in the vault.
std::string new_agent_key() {
  const SecretBytes random = crypto::random_secret(32);
  return "pak_" + to_base64url(random.reveal(SecretAccess{}));
}

Json key_params(const std::string& key) {
  return Json::Object{{"key_sha256", crypto::sha256(as_bytes(key)).hex()},
                      {"key_first", key.substr(0, kFirst)},
                      {"key_last", key.substr(key.size() - kLast)}};
}

// `done` is "added" or "has a new key". The key is shown or is in its file.
Output key_output(const Json& agent, std::string_view done, const std::string& key, const std::optional<std::string>& file) {
  Json out = agent;
  std::string text = "agent " + escape_for_terminal(agent["agent"].text_or("?")) + " " + std::string(done) + " until " +
                     escape_for_terminal(agent["expires_at"].text_or("?"));
  if (file) {
    out.set("key_file", *file);
    text += "; it is in " + escape_for_terminal(*file) + "\n";
  } else {
    out.set("key", key);
    text += "; it is shown once:\n" + key + "\n";
  }
  return {std::move(out), std::move(text)};
}

// Sends what goes with a new key. First the file: a key that could not be written would be of no use.
Result<Json> send_key(const Context& context, OwnerSession& session, std::string_view method, Json params,
                      const std::string& key, std::string_view why) {
  const std::optional<std::string>& file = context.args.agent.key_file;
  PV_ASSIGN(const Signer signer, ask_signer(context, session, why));
  if (file) PV_TRY(write_new_file(*file, as_bytes(key + "\n")));
  auto agent = session.call_with_proof(method, std::move(params), signer);
  if (!agent && file) unlink(file->c_str());
  return agent;
}

std::string agent_line(const Json& a) {
  std::string out = escape_for_terminal(a["agent"].text_or("?") + "  " + a["status"].text_or("?") + "  " +
                                        a["key"].text_or("?") + "  until " + a["expires_at"].text_or("?") + "  " +
                                        a["name"].text_or("?"));
  if (const auto* uid = a["uid"].integer()) out += "  uid " + std::to_string(*uid);
  if (a["expires_soon"].bool_or(false)) out += "  (ends soon: popvault agent rotate)";
  out += "\n";
  if (a["executable"].string() != nullptr)
    out += "    seen from " + escape_for_terminal(a["executable"].text_or("")) + " since " +
           escape_for_terminal(a["executable_since"].text_or("?")) + " (a label, not checked)\n";
  if (const auto* anomalies = a["anomalies"].array())
    for (const Json& anomaly : *anomalies) out += "    " + anomaly_text(anomaly) + "\n";
  return out;
}

// A verb that needs no proof and works on a locked vault too.
Result<Output> narrow(const Context& context, std::string_view method) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  PV_ASSIGN(const Json result, session.call(method, Json::Object{{"agent", context.args.agent.agent}}));
  return Output{result, plain_line("agent", result["agent"]) + plain_line("status", result["status"])};
}

}  // namespace

Result<Output> add_agent(const Context& context) {
  const AgentOptions& options = context.args.agent;
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  const std::string key = new_agent_key();
  Json params = key_params(key);
  params.set("name", options.agent);
  if (options.uid) params.set("uid", *options.uid);
  if (options.expires_days) params.set("expires_days", *options.expires_days);
  PV_ASSIGN(const Json agent, send_key(context, session, "agent.add", std::move(params), key, "enroll the agent"));
  Output out = key_output(agent, "added, with a key that is good", key, options.key_file);
  out.text += "It may do nothing yet: give it a policy with popvault policy set.\n";
  if (options.uid && *options.uid != static_cast<std::int64_t>(geteuid()))
    out.text += "With isolation user the socket answers uid " + std::to_string(geteuid()) + " alone: nobody can use this key here.\n";
  return out;
}

Result<Output> rotate_agent(const Context& context) {
  const AgentOptions& options = context.args.agent;
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  const std::string key = new_agent_key();
  Json params = key_params(key);
  params.set("agent", options.agent);
  PV_ASSIGN(const Json agent,
            send_key(context, session, "agent.rotate", std::move(params), key, "give the agent a new key"));
  return key_output(agent, "has a new key (the old one has ended) that is good", key, options.key_file);
}

Result<Output> list_agents(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json result, session.call("agent.list"));
  Output out{result["agents"], {}};
  if (const auto* agents = result["agents"].array())
    for (const Json& agent : *agents) out.text += agent_line(agent);
  return out;
}

Result<Output> suspend_agent(const Context& context) { return narrow(context, "agent.suspend"); }
Result<Output> revoke_agent(const Context& context) { return narrow(context, "agent.revoke"); }

Result<Output> resume_agent(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result, call_proved(context, session, "agent.resume",
                                           Json::Object{{"agent", context.args.agent.agent}}, "let the agent go on"));
  return Output{result, plain_line("agent", result["agent"]) + plain_line("status", result["status"])};
}

}  // namespace popvault::cli
