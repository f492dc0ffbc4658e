// owner.sock: the vault itself.

#include <algorithm>

#include <array>

#include "crypto/compiled_salt.hpp"
#include "daemon/browser.hpp"
#include "session/authenticators.hpp"
#include "session/epochs.hpp"
#include "daemon/handlers.hpp"
#include "log/log.hpp"
#include "daemon/owner_keys.hpp"
#include "rpc/params.hpp"
#include "secret/arena.hpp"

namespace popvault::daemon::owner_methods {
namespace {

Json mode_of(Application& app) {
  if (!app.session.has_store()) return {};
  const auto mode = app.session.shown_mode();
  return mode ? Json(*mode) : Json();
}

Json unlocked_reply(Application& app) {
  Json out;
  out.set("expires_at", rfc3339(app.session.expires_at()));
  out.set("state", to_string(app.session.state()));
  return out;
}

Status init_now(Application& app, VaultMode mode, const SecretBytes& key, Reply& reply) {
  PV_TRY(app.session.init(mode, key));
  log_info("a new vault was made");
  Json out;
  out.set("mode", to_string(mode));
  out.set("vault", app.session.vault_id());
  reply.ok(std::move(out));
  return {};
}

bool is_damage(Errc code) {
  return code == Errc::state_corrupt || code == Errc::state_rolled_back || code == Errc::journal_broken;
}

Status unlock_now(Application& app, SecretBytes key, Reply& reply) {
  const Status unlocked = app.session.unlock(std::move(key));
  app.unlock_refused = unlocked ? std::nullopt : std::optional(unlocked.error());
  if (!unlocked) {
    Json body;
    body.set("reason", info(unlocked.error().code).word);
    // A state.db that is damaged is evidence: nothing is written to it.
    if (!is_damage(unlocked.error().code)) app.note_refusal(journal::Kind::unlock_failed, std::move(body));
    return unlocked;
  }
  log_info("unlocked");
  app.after_unlock();
  reply.ok(unlocked_reply(app));
  return {};
}

constexpr Seconds kSkewTold = 120;

bool ssh_agent_signs(Session& session) {
  if (session.state() != State::unlocked) return false;
  const auto all = authenticators(session);
  return all && std::any_of(all->begin(), all->end(), [](const Authenticator& a) { return a.kind == "ssh"; });
}

Json::Array warnings_of(Application& app) {
  Json::Array out;
  const auto mode = mode_of(app).text_or("");
  if (mode == "machine-oss") out.push_back("the vault's key can be derived by anyone on this machine (public salt)");
  if (mode.starts_with("machine")) out.push_back("owner proofs stop accidents, not another program of this user");
  if (ssh_agent_signs(app.session))
    out.push_back("a key in the ssh-agent gives owner proofs: another program of this user can ask for them, unless the agent asks you (ssh-add -c)");
  if (secret_memory_kind() == SecretMemory::plain_pages)
    out.push_back("secret memory is not locked: raise the memlock limit to 8 MiB");
  if (app.session.state() == State::damaged) out.push_back("the files are damaged: " + app.session.damage().message());
  if (const Seconds skew = app.clock_skew(); skew > kSkewTold || skew < -kSkewTold)
    out.push_back("the system's clock was moved by " + std::to_string(skew) + " s since the last unlock; popvault keeps its own time until the next one");
  if (app.session.has_store()) out.push_back("isolation is user: a shell of this user is not held off (docs/THREAT_MODEL.md)");
  return out;
}

}  // namespace

Status hello(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  Json out;
  out.set("home", app.session.home());
  out.set("mode", mode_of(app));
  out.set("state", to_string(app.session.state()));
  const std::string vault = app.session.vault_id();
  out.set("vault", vault.empty() ? Json() : Json(vault));
  out.set("version", kVersion);
  call.reply->ok(std::move(out));
  return {};
}

namespace {

Result<Json> browser_of(Application& app) {
  if (app.guard.running()) return guarded_browser(app.guard);
  Session& session = app.session;
  PV_ASSIGN(const auto endpoint, enrolled_endpoint(session));
  if (!endpoint) return Json();
  Json out;
  out.set("endpoint", *endpoint);
  const std::string program = listening_program(session);
  out.set("executable", program.empty() ? Json() : Json(program));
  out.set("kind", "attached");
  return out;
}

// What only an unlocked vault can tell.
Status add_unlocked(Application& app, Json& out) {
  Session& session = app.session;
  PV_ASSIGN(Json browser, browser_of(app));
  out.set("browser", std::move(browser));
  out.set("pending_approvals", session.book().waiting());
  PV_ASSIGN(Json recovery, recovery_of(session));
  out.set("recovery", std::move(recovery));
  PV_ASSIGN(const auto backup, session.store().get(store::Table::settings, kBackupRow));
  if (backup) out.set("last_backup", rfc3339(backup->body["verified_at"].int_or(0)));
  return {};
}

// What the rows say, also while locked.
Status add_counts(Session& session, Json& out) {
  PV_ASSIGN(const std::int64_t records, session.store().count_records());
  out.set("records", records);
  PV_ASSIGN(const std::int64_t trash, session.store().count_trash());
  out.set("trash", trash);
  PV_ASSIGN(const Json epochs, epochs_to_json(session));
  Json epoch;
  for (const char* member : {"current", "due_at", "overdue"}) epoch.set(member, epochs[member]);
  out.set("epoch", std::move(epoch));
  PV_ASSIGN(const std::int64_t failed, failed_recoveries(session));
  out.set("failed_recoveries", failed);
  return {};
}

}  // namespace

Status vault_status(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  Session& session = app.session;
  const bool unlocked = session.state() == State::unlocked;
  Json out;
  out.set("agent_anomalies", Json());
  out.set("agents_expiring", Json());
  out.set("bad_proofs", app.bad_proofs);
  out.set("browser", Json());
  out.set("build", crypto::hardened_build() ? "hardened" : "source");
  out.set("epoch", Json());
  out.set("expires_at", unlocked ? Json(rfc3339(session.expires_at())) : Json());
  out.set("failed_recoveries", 0);
  out.set("frozen", session.frozen());
  out.set("grants", static_cast<std::int64_t>(session.grants().size()));
  out.set("home", session.home());
  out.set("injector_sha256", app.injector_sha256);
  out.set("isolation", "user");
  const auto& journal_key = session.journal_key();
  out.set("journal_key", journal_key ? Json(journal_key->hex()) : Json());
  out.set("last_backup", Json());
  out.set("mode", mode_of(app));
  out.set("pending_approvals", 0);
  out.set("proof_strength", mode_of(app).text_or("passphrase") == "passphrase" ? "passphrase" : "same_user_can_sign");
  out.set("records", 0);
  out.set("recovery", Json());
  out.set("secret_memory", to_string(secret_memory_kind()));
  out.set("state", to_string(session.state()));
  out.set("trash", 0);
  const std::string vault = session.vault_id();
  out.set("vault", vault.empty() ? Json() : Json(vault));
  out.set("version", kVersion);
  out.set("warnings", warnings_of(app));
  out.set("watcher", app.watched && app.watched());
  if (session.has_store()) PV_TRY(add_counts(session, out));
  if (unlocked) PV_TRY(add_unlocked(app, out));
  if (unlocked) PV_TRY(add_agent_warnings(app, out));
  call.reply->ok(std::move(out));
  return {};
}

Status vault_init(Application& app, Call& call) {
  Params in(call.params);
  const std::string mode = in.text("mode", 16);
  const bool consent = in.optional_flag("accept_public_salt", false);
  PV_TRY(in.done());
  if (mode == "passphrase") {
    PV_ASSIGN(const SecretBytes key, take_key(call, "key"));
    return init_now(app, VaultMode::passphrase, key, *call.reply);
  }
  if (mode != "machine") return fail(Errc::invalid_params, "mode is passphrase or machine");
  if (!crypto::hardened_build() && !consent) return fail(Errc::consent_required);
  const VaultMode machine = crypto::hardened_build() ? VaultMode::machine_hardened : VaultMode::machine_oss;
  return with_machine_key(app, machine, call.reply, [&app, machine](SecretBytes key, Reply& reply) {
    return init_now(app, machine, key, reply);
  });
}

Status vault_unlock(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  if (app.session.state() == State::unlocked && !call.bundle) {
    call.reply->ok(unlocked_reply(app));
    return {};
  }
  PV_ASSIGN(const VaultMode mode, app.session.mode());
  if (mode == VaultMode::passphrase) {
    PV_ASSIGN(SecretBytes key, take_key(call, "key"));
    if (app.session.state() == State::unlocked) {
      call.reply->ok(unlocked_reply(app));
      return {};
    }
    return unlock_now(app, std::move(key), *call.reply);
  }
  return with_machine_key(app, mode, call.reply, [&app](SecretBytes key, Reply& reply) -> Status {
    if (app.session.state() == State::unlocked) {
      reply.ok(unlocked_reply(app));
      return {};
    }
    return unlock_now(app, std::move(key), reply);
  });
}

Status vault_lock(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  app.lock();
  Json out;
  out.set("state", to_string(app.session.state()));
  call.reply->ok(std::move(out));
  return {};
}

Status vault_freeze(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  app.injections.stop_all();
  const Status frozen = app.session.set_frozen(true);
  app.lock_all();
  PV_TRY(frozen);
  app.announce("frozen");
  Json out;
  out.set("frozen", true);
  call.reply->ok(std::move(out));
  return {};
}

Status vault_unfreeze(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_TRY(app.session.set_frozen(false));
  app.announce("unfrozen");
  Json out;
  out.set("frozen", false);
  call.reply->ok(std::move(out));
  return {};
}

Status daemon_stop(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  Json out;
  out.set("stopping", true);
  call.reply->ok(std::move(out));
  app.loop.post([&app] { app.stop(); });
  return {};
}

Status events_subscribe(Application&, Call& call) {
  Params in(call.params);
  const std::string client = in.optional_text("client", 64).value_or("");
  PV_TRY(in.done());
  call.peer.subscribed = true;
  call.peer.watcher = client == "watcher";
  Json out;
  out.set("subscribed", true);
  call.reply->ok(std::move(out));
  return {};
}

Status proof_challenge(Application& app, Call& call) {
  Params in(call.params);
  const std::string purpose = in.text("purpose", 64);
  const std::string hash = in.text("request_hash", 64);
  PV_TRY(in.done());
  if (const auto bytes = from_hex(hash); !bytes || bytes->size() != 32)
    return fail(Errc::invalid_params, "request_hash must be 64 hex digits");
  Json out;
  out.set("challenge", call.peer.proofs.challenge(app.session.vault_id(), purpose, hash, app.moment()));
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
