// authenticator add ssh, add raw, list, rm: who besides the passphrase may sign the owner's proofs.
#include <algorithm>

#include "base/utf8.hpp"
#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/local_files.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"
#include "cli/ssh_agent.hpp"

namespace popvault::cli {
namespace {

constexpr std::size_t kMaxLabel = 64;
constexpr std::size_t kMaxKeyFile = 4096;

// "a comment" or, where that would not do as a label, the fingerprint.
std::string label_of(const SshIdentity& identity) {
  const bool fits = !identity.comment.empty() && identity.comment.size() <= kMaxLabel && plain_text(identity.comment);
  return fits ? identity.comment : fingerprint_of(identity.key);
}

Result<SshIdentity> identity_in_file(const std::string& path) {
  PV_ASSIGN(const Bytes content, read_named_file(path, kMaxKeyFile));
  return parse_public_key_line(as_text(content));
}

// The key that was named by comment or fingerprint, or the only one.
Result<SshIdentity> identity_in_agent(const std::optional<std::string>& wanted) {
  PV_ASSIGN(SshAgent agent, SshAgent::connect());
  PV_ASSIGN(std::vector<SshIdentity> found, agent.identities());
  if (wanted)
    std::erase_if(found, [&](const SshIdentity& one) { return one.comment != *wanted && fingerprint_of(one.key) != *wanted; });
  if (found.empty()) return fail(Errc::not_found, "the ssh-agent has no such ssh-ed25519 key; ssh-add -l lists what it has");
  if (found.size() > 1)
    return fail(Errc::usage, "the ssh-agent has more than one such ssh-ed25519 key; name one with --key and its fingerprint");
  return found.front();
}

Result<SshIdentity> find_identity(const std::optional<std::string>& wanted) {
  return wanted && wanted->ends_with(".pub") ? identity_in_file(*wanted) : identity_in_agent(wanted);
}

std::string authenticator_line(const Json& one) {
  std::string out = escape_for_terminal(one["id"].text_or("?")) + "  " + escape_for_terminal(one["kind"].text_or("?"));
  const auto key = public_key_from_hex(one["public_key"].text_or(""));
  if (one["kind"].text_or("") == "ssh" && key) out += "  " + fingerprint_of(*key);
  if (one["kind"].text_or("") == "raw") out += "  " + escape_for_terminal(one["public_key"].text_or("?"));
  if (const std::string label = one["label"].text_or(""); !label.empty()) out += "  " + escape_for_terminal(label);
  if (one["created_at"].string() != nullptr) out += "  since " + escape_for_terminal(one["created_at"].text_or(""));
  return out + "\n";
}

Result<Output> enroll(const Context& context, OwnerSession& session, std::string_view kind, const std::string& label,
                      const crypto::PublicKey& key) {
  const std::string why = "let \"" + escape_for_terminal(label) + "\" sign for you";
  PV_ASSIGN(const Json added,
            call_proved(context, session, "authenticator.add",
                        Json::Object{{"kind", kind}, {"label", label}, {"public_key", key.hex()}}, why));
  std::string text = "enrolled " + authenticator_line(added) + "It can give every owner proof now, as the passphrase does.\n";
  if (kind == "ssh")
    text += "So can any program of your user that reaches the ssh-agent, unless the agent asks you first (ssh-add -c).\n";
  return Output{added, std::move(text)};
}

}  // namespace

Result<Output> add_ssh_authenticator(const Context& context) {
  const AuthenticatorOptions& options = context.args.authenticators;
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const SshIdentity identity, find_identity(options.key));
  return enroll(context, session, "ssh", options.label.value_or(label_of(identity)), identity.key);
}

Result<Output> add_raw_authenticator(const Context& context) {
  const AuthenticatorOptions& options = context.args.authenticators;
  const auto key = public_key_from_hex(options.public_key);
  if (!key) return fail(Errc::invalid_field, "--public-key must be 64 hex digits");
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  return enroll(context, session, "raw", *options.label, *key);
}

Result<Output> list_authenticators(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json result, session.call("authenticator.list"));
  Output out{result["authenticators"], {}};
  if (const auto* list = result["authenticators"].array())
    for (const Json& one : *list) out.text += authenticator_line(one);
  return out;
}

Result<Output> remove_authenticator(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result,
            call_proved(context, session, "authenticator.remove", Json::Object{{"id", context.args.authenticators.id}},
                        "take the authenticator away"));
  return Output{result, "removed " + escape_for_terminal(result["id"].text_or("?")) + "\n"};
}

}  // namespace popvault::cli
