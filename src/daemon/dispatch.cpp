#include "daemon/dispatch.hpp"

#include <algorithm>
#include <memory>

#include "rpc/params.hpp"

namespace popvault::daemon {
namespace {

constexpr std::uint8_t kUnlocked = static_cast<std::uint8_t>(State::unlocked);
constexpr std::uint8_t kUninitialised = static_cast<std::uint8_t>(State::uninitialised);

// While a grant lives, its agent goes on with the vault locked.
constexpr std::uint8_t kUsable = kUnlocked | static_cast<std::uint8_t>(State::granted);

namespace a = agent_methods;
namespace o = owner_methods;

constexpr Method kAgentMethods[] = {
    // name                states     proof        agent  handler
    {"vault.status",       kAnyState, Proof::none, false, a::vault_status},
    {"session.hello",      kAnyState, Proof::none, false, a::session_hello},
    {"credentials.list",   kUsable,   Proof::none, true,  a::credentials_list},
    {"credentials.get",    kUsable,   Proof::none, true,  a::credentials_get},
    {"purchase.request",   kUsable,   Proof::none, true,  a::purchase_request},
    {"purchase.status",    kUsable,   Proof::none, true,  a::purchase_status},
    {"purchase.wait",      kUsable,   Proof::none, true,  a::purchase_wait},
    {"purchase.fill",      kUsable,   Proof::none, true,  a::purchase_fill},
    {"purchase.cancel",    kUsable,   Proof::none, true,  a::purchase_cancel},
    {"identity.fill",      kUsable,   Proof::none, true,  a::identity_fill},
    {"login.fill",         kUsable,   Proof::none, true,  a::login_fill},
    {"events.subscribe",   kUsable,   Proof::none, true,  a::events_subscribe},
};

constexpr Method kOwnerMethods[] = {
    // name                states          proof         agent  handler
    {"owner.hello",        kAnyState,      Proof::none,  false, o::hello},
    {"vault.status",       kAnyState,      Proof::none,  false, o::vault_status},
    {"vault.init",         kUninitialised, Proof::none,  false, o::vault_init},
    {"vault.unlock",       kMade,          Proof::none,  false, o::vault_unlock},
    {"vault.lock",         kMade,          Proof::none,  false, o::vault_lock},
    {"vault.freeze",       kMade,          Proof::none,  false, o::vault_freeze},
    {"vault.unfreeze",     kUnlocked,      Proof::fresh, false, o::vault_unfreeze},
    {"daemon.stop",        kAnyState,      Proof::none,  false, o::daemon_stop},
    {"events.subscribe",   kAnyState,      Proof::none,  false, o::events_subscribe},
    {"proof.challenge",    kUnlocked,      Proof::none,  false, o::proof_challenge},
    {"record.add",         kUnlocked,      Proof::none,  false, o::record_add},
    {"record.list",        kUnlocked,      Proof::none,  false, o::record_list},
    {"record.show",        kUnlocked,      Proof::none,  false, o::record_show},
    {"record.edit",        kUnlocked,      Proof::session, false, o::record_edit},
    {"record.remove",      kUnlocked,      Proof::session, false, o::record_remove},
    {"record.restore",     kUnlocked,      Proof::session, false, o::record_restore},
    {"record.reveal",      kUnlocked,      Proof::fresh, false, o::record_reveal},
    {"record.export",      kUnlocked,      Proof::fresh, false, o::record_export},
    {"agent.add",          kUnlocked,      Proof::fresh, false, o::agent_add},
    {"agent.list",         kUnlocked,      Proof::none,  false, o::agent_list},
    {"agent.rotate",       kUnlocked,      Proof::session, false, o::agent_rotate},
    {"agent.suspend",      kMade,          Proof::none,  false, o::agent_suspend},
    {"agent.resume",       kUnlocked,      Proof::session, false, o::agent_resume},
    {"agent.revoke",       kMade,          Proof::none,  false, o::agent_revoke},
    {"authenticator.add",  kUnlocked,      Proof::fresh, false, o::authenticator_add},
    {"authenticator.list", kUnlocked,      Proof::none,  false, o::authenticator_list},
    {"authenticator.remove", kUnlocked,    Proof::fresh, false, o::authenticator_remove},
    {"policy.set",         kUnlocked,      Proof::fresh, false, o::policy_set},
    {"policy.narrow",      kUnlocked,      Proof::none,  false, o::policy_narrow},
    {"policy.preview",     kUnlocked,      Proof::none,  false, o::policy_preview},
    {"policy.explain",     kUnlocked,      Proof::none,  false, o::policy_explain},
    {"policy.show",        kUnlocked,      Proof::none,  false, o::policy_show},
    {"policy.unset",       kUnlocked,      Proof::none,  false, o::policy_unset},
    {"recipe.list",        kUnlocked,      Proof::none,  false, o::recipe_list},
    {"recipe.add",         kUnlocked,      Proof::fresh, false, o::recipe_add},
    {"recipe.remove",      kUnlocked,      Proof::none,  false, o::recipe_remove},
    {"recipe.pin",         kUnlocked,      Proof::fresh, false, o::recipe_pin},
    {"recipe.rollback",    kUnlocked,      Proof::fresh, false, o::recipe_rollback},
    {"config.get",         kUnlocked,      Proof::none,  false, o::config_get},
    {"config.set",         kUnlocked,      Proof::fresh, false, o::config_set},
    {"browser.start",      kUnlocked,      Proof::none,  false, o::browser_start},
    {"browser.stop",       kAnyState,      Proof::none,  false, o::browser_stop},
    {"purchase.list",      kUnlocked,      Proof::none,  false, o::purchase_list},
    {"purchase.approve",   kUnlocked,      Proof::fresh, false, o::purchase_approve},
    {"purchase.deny",      kMade,          Proof::none,  false, o::purchase_deny},
    {"purchase.settle",    kUnlocked,      Proof::session, false, o::purchase_settle},
    {"purchase.release",   kUnlocked,      Proof::session, false, o::purchase_release},
    {"purchase.adjust",    kUnlocked,      Proof::fresh, false, o::purchase_adjust},
    {"grant.create",       kUnlocked,      Proof::fresh, false, o::grant_create},
    {"grant.list",         kMade,          Proof::none,  false, o::grant_list},
    {"grant.revoke",       kMade,          Proof::none,  false, o::grant_revoke},
    {"vault.rekey",        kUnlocked,      Proof::fresh, false, o::vault_rekey},
    {"vault.rotate",       kUnlocked,      Proof::session, false, o::vault_rotate},
    {"vault.epochs",       kMade,          Proof::none,  false, o::vault_epochs},
    {"vault.check",        kMade,          Proof::none,  false, o::vault_check},
    {"recovery.create",    kUnlocked,      Proof::fresh, false, o::recovery_create},
    {"recovery.show",      kUnlocked,      Proof::fresh, false, o::recovery_show},
    {"recovery.report",    kMade,          Proof::none,  false, o::recovery_report},
    {"vault.recover",      kMade,          Proof::none,  false, o::vault_recover},
    {"backup.create",      kUnlocked,      Proof::session, false, o::backup_create},
    {"backup.verify",      kAnyState,      Proof::none,  false, o::backup_verify},
    {"backup.restore",     kUninitialised, Proof::none,  false, o::backup_restore},
    {"audit.list",         kMade,          Proof::none,  false, o::audit_list},
    {"audit.verify",       kMade,          Proof::none,  false, o::audit_verify},
    {"audit.export",       kUnlocked,      Proof::session, false, o::audit_export},
    {"audit.purge",        kUnlocked,      Proof::fresh, false, o::audit_purge},
};

// Looking is no use: it does not put the idle lock off.
constexpr std::string_view kPassive[] = {
    "owner.hello",   "session.hello",    "vault.status",    "record.list",      "record.show",    "agent.list",
    "recipe.list",   "policy.show",   "policy.preview",   "policy.explain",  "config.get",       "purchase.list",  "audit.list",
    "audit.verify",  "vault.epochs",     "vault.check",     "grant.list",       "authenticator.list", "events.subscribe",
    "credentials.list", "credentials.get", "purchase.status", "purchase.wait",  "proof.challenge"};

struct Request {
  Json id;
  std::string method;
  Json params;
};

Result<Request> parse_request(const Json& message) {
  Params in(message);
  const std::string version = in.text("jsonrpc", 3);
  Request out;
  out.id = in.any("id");
  out.method = in.text("method", 64);
  if (in.has("params")) out.params = in.object("params");
  const std::string* text = out.id.string();
  const bool id_ok = out.id.integer() != nullptr || (text != nullptr && text->size() <= 64);
  if (message.object() == nullptr || !in.done() || version != "2.0" || !id_ok) return fail(Errc::invalid_request);
  return out;
}

// Why a method does not answer in this state.
Status check_state(Application& app, const Method& method) {
  const State state = app.session.state();
  if ((method.states & static_cast<std::uint8_t>(state)) != 0) return {};
  if (state == State::damaged) return tl::unexpected(app.session.damage());
  if (state == State::uninitialised) return fail(Errc::vault_missing);
  if (method.states == kUninitialised) return fail(Errc::vault_exists);
  // A freeze locks as well; unlocking alone would not help an agent.
  return fail(method.needs_agent && app.session.frozen() ? Errc::frozen : Errc::locked);
}

// A growing delay for this connection, and nobody is locked out.
void reject_proof(Application& app, Peer& peer, const Method& method, const Error& error,
                  const std::shared_ptr<Reply>& reply) {
  ++app.bad_proofs;
  ++peer.bad_proofs;
  Json body;
  body.set("executable", peer.caller.identity.executable);
  body.set("method", method.name);
  body.set("reason", info(error.code).word);
  app.note_refusal(journal::Kind::proof_rejected, std::move(body));
  answer_late(app, std::min(peer.bad_proofs, 6U), error, reply);
}

// An approval is at level `session` if the owner said so; one against the policy never is.
Result<Proof> level_of(Application& app, const Method& method, const Json& params) {
  const bool forced = params.find("force") != nullptr && params["force"].bool_or(true);
  if (method.handler != o::purchase_approve || forced) return method.proof;
  PV_ASSIGN(const auto row, app.session.store().get(store::Table::settings, kApprovalsProof));
  return row && row->body["value"].text_or("") == "session" ? Proof::session : method.proof;
}

Status check_proof(Application& app, Peer& peer, const Method& method, Json& params,
                   const std::shared_ptr<Reply>& reply, bool& answered) {
  const Json proof = params["proof"];
  params.erase("proof");
  if (method.proof == Proof::none) return proof.is_null() ? Status{} : fail(Errc::invalid_params, "unknown member proof");
  const auto& keys = app.session.keys().owner_keys();
  const gate::Moment moment = app.moment();
  if (proof.is_null()) {
    PV_ASSIGN(const Proof level, level_of(app, method, params));
    return level == Proof::session && peer.proofs.kept(keys, moment) ? Status{} : fail(Errc::proof_required);
  }
  const Status checked = peer.proofs.check(proof, method.name, params, keys, moment);
  if (checked) {
    // Only the owner takes the warning away.
    app.bad_proofs = 0;
    return {};
  }
  answered = true;
  reject_proof(app, peer, method, checked.error(), reply);
  return checked;
}

}  // namespace

std::span<const Method> methods(Door door) noexcept {
  if (door == Door::agent) return kAgentMethods;
  return kOwnerMethods;
}

void dispatch(Application& app, Peer& peer, std::string_view line, Passed passed, Reply::Send send) {
  const auto message = Json::parse(line);
  if (!message) return send(error_line(nullptr, message.error()), {});
  auto request = parse_request(*message);
  if (!request) {
    const Json& id = (*message)["id"];
    const bool usable = id.integer() != nullptr || (id.string() != nullptr && id.string()->size() <= 64);
    return send(error_line(usable ? id : Json(), request.error()), {});
  }
  const auto reply = std::make_shared<Reply>(request->id, std::move(send));
  const auto table = methods(peer.door);
  const auto method = std::find_if(table.begin(), table.end(), [&](const Method& m) { return m.name == request->method; });
  if (method == table.end()) return reply->error({Errc::unknown_method, {}});
  if (method->needs_agent && peer.caller.agent.empty()) return reply->error({Errc::unauthenticated, {}});
  if (const Status state = check_state(app, *method); !state) return reply->error(state.error());
  if (peer.door == Door::owner) {
    bool answered = false;
    const Status proved = check_proof(app, peer, *method, request->params, reply, answered);
    if (!proved) {
      if (!answered) reply->error(proved.error());
      return;
    }
  }
  if (method->needs_agent) app.note_sighting(peer);
  Call call{peer, request->params, std::move(passed.bundle), std::move(passed.file), reply};
  const Status done = method->handler(app, call);
  // A request that is refused is no use either. Purchases are asked for together: see fills.cpp.
  const bool passive = std::find(std::begin(kPassive), std::end(kPassive), method->name) != std::end(kPassive);
  if (done && !passive && method->handler != a::purchase_request) app.touch();
  close_elsewhere(std::move(call.bundle));
  close_elsewhere(std::move(call.file));
  if (!done) reply->error(done.error());
  app.after_request();
}

}  // namespace popvault::daemon
