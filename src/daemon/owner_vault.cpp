// owner.sock: the vault itself.

#include <array>

#include "crypto/compiled_salt.hpp"
#include "daemon/browser.hpp"
#include "daemon/handlers.hpp"
#include "daemon/log.hpp"
#include "daemon/records.hpp"
#include "rpc/params.hpp"
#include "secret/arena.hpp"
#include "vault/foreign.hpp"
#include "vault/vault_key.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr std::size_t kKeySize = 32;

Result<SecretBytes> key_of(Call& call, std::string_view name) {
  PV_ASSIGN(const Bundle bundle, Bundle::receive(call.bundle.release()));
  const auto key = bundle.find(name, SecretAccess{});
  if (!key || key->size() != kKeySize)
    return fail(Errc::invalid_params, "the bundle must hold " + std::string(name) + " with 32 bytes");
  return SecretBytes::copy_of(*key);
}

Json mode_of(Application& app) {
  if (!app.session.has_store()) return {};
  const auto mode = app.session.store().meta("mode");
  return mode && *mode ? Json(**mode) : Json();
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

Status unlock_now(Application& app, SecretBytes key, Reply& reply) {
  const Status unlocked = app.session.unlock(std::move(key));
  if (!unlocked) {
    Json body;
    body.set("reason", info(unlocked.error().code).word);
    app.note_refusal(journal::Kind::unlock_failed, std::move(body));
    return unlocked;
  }
  log_info("unlocked");
  reply.ok(unlocked_reply(app));
  return {};
}

// Machine mode: scrypt off the loop, then go on with the key.
Status with_machine_key(Application& app, VaultMode mode, std::shared_ptr<Reply> reply,
                        std::function<Status(SecretBytes, Reply&)> then) {
  if (app.unlocking) return fail(Errc::busy, "a key is being derived");
  app.unlocking = true;
  auto key = std::make_shared<Result<SecretBytes>>(fail(Errc::internal));
  app.loop.offload(
      [key, mode, &fs = app.session.fs(), home = app.session.home()] { *key = derive_machine_key(fs, home, mode); },
      [&app, key, reply, locks = app.locks, then = std::move(then)] {
        app.unlocking = false;
        if (app.locks != locks) return reply->error({Errc::locked, "locked while the key was derived"});
        const Status done = *key ? then(std::move(**key), *reply) : Status(tl::unexpected(key->error()));
        if (!done) reply->error(done.error());
      });
  return {};
}

Json::Array warnings_of(Application& app) {
  Json::Array out;
  const auto mode = mode_of(app).text_or("");
  if (mode == "machine-oss") out.push_back("the vault's key can be derived by anyone on this machine (public salt)");
  if (mode.starts_with("machine")) out.push_back("owner proofs stop accidents, not another program of this user");
  if (secret_memory_kind() == SecretMemory::plain_pages)
    out.push_back("secret memory is not locked: raise the memlock limit to 8 MiB");
  if (app.session.state() == State::damaged) out.push_back("the files are damaged: " + app.session.damage().message());
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

Status vault_status(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  Session& session = app.session;
  const bool unlocked = session.state() == State::unlocked;
  Json browser;
  if (unlocked) {
    PV_ASSIGN(const auto endpoint, enrolled_endpoint(session));
    if (endpoint) {
      browser.set("endpoint", *endpoint);
      const std::string program = listening_program(session);
      browser.set("executable", program.empty() ? Json() : Json(program));
      browser.set("kind", "attached");
    }
  }
  Json out;
  out.set("bad_proofs", app.bad_proofs);
  out.set("browser", std::move(browser));
  out.set("build", crypto::hardened_build() ? "hardened" : "source");
  out.set("expires_at", unlocked ? Json(rfc3339(session.expires_at())) : Json());
  out.set("frozen", session.frozen());
  out.set("home", session.home());
  out.set("injector_sha256", app.injector_sha256);
  out.set("isolation", "user");
  out.set("mode", mode_of(app));
  std::int64_t pending = 0;
  std::int64_t records = 0;
  if (unlocked) {
    PV_ASSIGN(const auto waiting, session.store().purchases_with_status("awaiting_approval"));
    pending = static_cast<std::int64_t>(waiting.size());
  }
  if (session.has_store()) {
    PV_ASSIGN(records, session.store().count(store::Table::records));
  }
  out.set("pending_approvals", pending);
  out.set("proof_strength", mode_of(app).text_or("passphrase") == "passphrase" ? "passphrase" : "same_user_can_sign");
  out.set("records", records);
  out.set("secret_memory", to_string(secret_memory_kind()));
  out.set("state", to_string(session.state()));
  const std::string vault = session.vault_id();
  out.set("vault", vault.empty() ? Json() : Json(vault));
  out.set("version", kVersion);
  out.set("warnings", warnings_of(app));
  call.reply->ok(std::move(out));
  return {};
}

Status vault_init(Application& app, Call& call) {
  Params in(call.params);
  const std::string mode = in.text("mode", 16);
  const bool consent = in.optional_flag("accept_public_salt", false);
  PV_TRY(in.done());
  if (mode == "passphrase") {
    PV_ASSIGN(const SecretBytes key, key_of(call, "key"));
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
    PV_ASSIGN(SecretBytes key, key_of(call, "key"));
    if (app.session.state() == State::unlocked) return fail(Errc::internal, "unlock while unlocked");
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
  PV_TRY(app.session.set_frozen(true));
  Json out;
  out.set("frozen", true);
  call.reply->ok(std::move(out));
  return {};
}

Status vault_unfreeze(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_TRY(app.session.set_frozen(false));
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

Status proof_challenge(Application& app, Call& call) {
  Params in(call.params);
  const std::string purpose = in.text("purpose", 64);
  const std::string hash = in.text("request_hash", 64);
  PV_TRY(in.done());
  if (const auto bytes = from_hex(hash); !bytes || bytes->size() != 32)
    return fail(Errc::invalid_params, "request_hash must be 64 hex digits");
  Json out;
  out.set("challenge", call.peer.proofs.challenge(app.session.vault_id(), purpose, hash, app.session.clock().now(), app.locks));
  call.reply->ok(std::move(out));
  return {};
}

Status record_add(Application& app, Call& call) {
  Params in(call.params);
  const std::string kind = in.text("kind", 16);
  const std::string label = in.text("label", 200);
  PV_TRY(in.done());
  PV_ASSIGN(const Bundle bundle, Bundle::receive(call.bundle.release()));
  PV_ASSIGN(SecretFields fields, bundle.fields());
  PV_ASSIGN(const MaskedView view, add_record(app.session, kind, label, std::move(fields)));
  call.reply->ok(to_json(view));
  return {};
}

Status record_list(Application& app, Call& call) {
  Params in(call.params);
  const std::string kind = in.optional_text("kind", 16).value_or("");
  const std::string cursor = in.optional_text("cursor", 64).value_or("");
  const std::int64_t limit = in.optional_integer("limit", 1, 100, 50);
  PV_TRY(in.done());
  PV_ASSIGN(Json out, list_records(app.session, "records", kind, cursor, limit, {}));
  call.reply->ok(std::move(out));
  return {};
}

Status record_show(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row row, find_record(app.session, id));
  PV_ASSIGN(const MaskedView view, view_of(app.session, row));
  Json out = to_json(view);
  out.set("created_at", rfc3339(row.body["created_at"].int_or(0)));
  out.set("epoch", row.body["epoch"]);
  out.set("version", row.body["version"]);
  call.reply->ok(std::move(out));
  return {};
}

Status record_export(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const SecretBytes key, key_of(call, "key"));
  PV_ASSIGN(const store::Row row, find_record(app.session, id));
  if (row.body["kind"].text_or("") != "card") return fail(Errc::unsupported, "only cards can be exported");
  PV_ASSIGN(const Bytes blob, read_record_blob(app.session, row));
  Json body;
  body.set("record", row.id);
  PV_ASSIGN(auto tx, app.session.begin());
  PV_TRY(tx.journal(journal::Kind::record_exported, std::move(body)));
  PV_TRY(app.session.commit(tx));
  PV_ASSIGN(const SecretFields fields, open_record(app.session.keys(), place_of(row), blob));
  PV_ASSIGN(const Bytes file, export_foreign(fields, key));
  Json out;
  out.set("file", to_base64(file));
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
