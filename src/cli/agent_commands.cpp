// agent add, list, revoke. The key is made here; the daemon learns its fingerprint.
#include <unistd.h>

#include "cli/command.hpp"
#include "cli/display.hpp"
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

Json agent_params(const std::string& name, const std::string& key) {
  return Json::Object{{"name", name},
                      {"key_sha256", crypto::sha256(as_bytes(key)).hex()},
                      {"key_first", key.substr(0, kFirst)},
                      {"key_last", key.substr(key.size() - kLast)}};
}

Output added_output(const Json& agent, const std::string& key, const std::optional<std::string>& file) {
  Json out = Json::Object{{"agent", agent["agent"]}, {"name", agent["name"]}};
  std::string text = "agent " + escape_for_terminal(agent["agent"].text_or("?")) + " added";
  if (file) {
    out.set("key_file", *file);
    text += "; its key is in " + *file + "\n";
  } else {
    out.set("key", key);
    text += "; this is its key, shown once:\n" + key + "\n";
  }
  return {std::move(out),
          std::move(text) + "It may do nothing yet: give it a policy with popvault policy set.\n"};
}

}  // namespace

Result<Output> add_agent(const Context& context) {
  const AgentOptions& options = context.args.agent;
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const SecretBytes vault_key, ask_vault_key(context, session, "enroll the agent"));
  const std::string key = new_agent_key();
  // First the file: an agent whose key could not be written would be of no use.
  if (options.key_file) PV_TRY(write_new_file(*options.key_file, as_bytes(key + "\n")));
  auto agent = session.call_with_proof("agent.add", agent_params(options.agent, key), vault_key);
  if (!agent) {
    if (options.key_file) unlink(options.key_file->c_str());
    return tl::unexpected(std::move(agent.error()));
  }
  return added_output(*agent, key, options.key_file);
}

Result<Output> list_agents(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json result, session.call("agent.list"));
  Output out{result["agents"], {}};
  if (const auto* agents = result["agents"].array())
    for (const Json& a : *agents)
      out.text += escape_for_terminal(a["agent"].text_or("?") + "  " + a["status"].text_or("?") + "  " +
                                      a["key"].text_or("?") + "  until " + a["expires_at"].text_or("?") +
                                      "  " + a["name"].text_or("?")) +
                  "\n";
  return out;
}

Result<Output> revoke_agent(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  PV_ASSIGN(const Json result,
            session.call("agent.revoke", Json::Object{{"agent", context.args.agent.agent}}));
  return Output{result, plain_line("agent", result["agent"]) + plain_line("status", result["status"])};
}

}  // namespace popvault::cli
