// owner.sock: what opens the vault, epochs, and whether every blob is there.

#include "daemon/owner_keys.hpp"

#include <algorithm>

#include "crypto/compiled_salt.hpp"
#include "crypto/digest.hpp"
#include "session/epochs.hpp"
#include "session/file_check.hpp"
#include "daemon/handlers.hpp"
#include "log/log.hpp"
#include "session/records.hpp"
#include "rpc/params.hpp"
#include "vault/record_name.hpp"
#include "vault/recovery.hpp"
#include "vault/vault_key.hpp"

namespace popvault::daemon {

Result<Json> recovery_of(Session& session) {
  const auto& key = session.keys().recovery_key();
  if (!key) return Json();
  PV_ASSIGN(const auto row, session.store().get(store::Table::settings, kRecoveryRow));
  Json out;
  out.set("created_at", row ? Json(rfc3339(row->body["created_at"].int_or(0))) : Json());
  out.set("recipient", age_recipient(*key));
  return out;
}

Result<std::int64_t> failed_recoveries(Session& session) {
  constexpr Seconds kMonth = 30 * 24 * 3600;
  PV_ASSIGN(const auto rows,
            session.store().journal_of(journal::Kind::recovery_failed, session.clock().now() - kMonth));
  std::int64_t out = 0;
  for (const journal::Row& row : rows) {
    const auto body = Json::parse(row.body);
    // Rows behind the mirrored head are not to be believed: no count of theirs is a large one.
    out += 1 + (body ? std::clamp<std::int64_t>((*body)["left_out"].int_or(0), 0, 1'000'000) : 0);
  }
  return out;
}

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

namespace owner_methods {
namespace {

Status rekey_now(Application& app, VaultMode mode, SecretBytes key, Reply& reply) {
  PV_TRY(app.session.rekey(mode, std::move(key)));
  log_info("another key opens the vault now");
  Json out;
  out.set("mode", to_string(mode));
  reply.ok(std::move(out));
  return {};
}

constexpr std::size_t kMostProblems = 100;  // in one reply

// A blob as a row names it.
struct Pointer {
  std::string record, kind, blob, sha256;
  std::uint32_t epoch = 0;
};

Pointer pointer_of(const store::Row& row) {
  const BlobPlace place = place_of(row);
  return {row.id, place.kind, row.body["blob"].text_or(""), row.body["sha256"].text_or(""), place.epoch};
}

// What is wrong with it; empty when nothing is.
std::string problem_of(Fs& fs, const std::string& home, const Pointer& pointer) {
  const auto blob = read_blob(fs, home, pointer.kind, pointer.epoch, pointer.blob);
  if (!blob && blob.error().code == Errc::state_corrupt) return "it is missing";
  if (!blob) return blob.error().message();
  return crypto::sha256(*blob).hex() == pointer.sha256 ? "" : "it is not the one that was written";
}

// The row may have moved on while the files were read.
std::string problem_now(Session& session, const Pointer& pointer) {
  const auto rows = session.store().unverified_pointer(pointer.record);
  if (!rows || rows->empty()) return {};
  return problem_of(session.fs(), session.home(), pointer_of(rows->front()));
}

Json file_problem(std::string_view file, std::string problem, std::string_view remedy) {
  Json out;
  out.set("file", file);
  out.set("problem", std::move(problem));
  out.set("remedy", remedy);
  out.set("what", "file");
  return out;
}

Json more_problems(std::size_t count) {
  return file_problem("blobs", "more blobs that are missing or changed: " + std::to_string(count),
                      "put the folder blobs back from the newest copy of the home, or restore a backup into an empty home");
}

Json strange_rows(std::size_t count) {
  return file_problem("state.db", "rows of records that popvault did not write: " + std::to_string(count),
                      "put vault.enc and state.db back from the same copy of the home, the newest one");
}

Json problem_to_json(const Pointer& pointer, const std::string& problem) {
  Json out;
  out.set("file", "blobs/" + pointer.kind + "/" + std::to_string(pointer.epoch) + "/" + pointer.blob + ".enc");
  out.set("id", pointer.record);
  out.set("problem", problem);
  out.set("remedy", "put this file back from a copy of the home, or remove the record (popvault rm) and add it again");
  out.set("what", "blob");
  return out;
}

}  // namespace

Status vault_rekey(Application& app, Call& call) {
  Params in(call.params);
  const std::string mode = in.text("mode", 16);
  const bool machine_consent = in.optional_flag("accept_machine_key", false);
  const bool salt_consent = in.optional_flag("accept_public_salt", false);
  PV_TRY(in.done());
  if (mode == "passphrase") {
    PV_ASSIGN(SecretBytes key, take_key(call, "key"));
    return rekey_now(app, VaultMode::passphrase, std::move(key), *call.reply);
  }
  if (mode != "machine") return fail(Errc::invalid_params, "mode is passphrase or machine");
  if (!machine_consent) return fail(Errc::consent_required, "accept_machine_key");
  if (!crypto::hardened_build() && !salt_consent) return fail(Errc::consent_required);
  const VaultMode machine = crypto::hardened_build() ? VaultMode::machine_hardened : VaultMode::machine_oss;
  return with_machine_key(app, machine, call.reply, [&app, machine](SecretBytes key, Reply& reply) {
    return rekey_now(app, machine, std::move(key), reply);
  });
}

Status vault_rotate(Application& app, Call& call) {
  Params in(call.params);
  const bool now = in.optional_flag("now", false);
  PV_TRY(in.done());
  PV_TRY(rotate(app.session, "owner"));
  PV_ASSIGN(const auto behind, app.session.store().count_before_epoch(app.session.keys().current_epoch()));
  app.damaged.clear();
  PV_ASSIGN(const bool due, sweep_due(app.session));
  if (now || due) app.start_sweep();
  Json out;
  out.set("epoch", static_cast<std::int64_t>(app.session.keys().current_epoch()));
  out.set("records", behind);
  call.reply->ok(std::move(out));
  return {};
}

Status vault_epochs(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(Json out, epochs_to_json(app.session));
  out.set("sweeping", app.sweeping != nullptr);
  out.set("unreadable", static_cast<std::int64_t>(app.damaged.size()));
  call.reply->ok(std::move(out));
  return {};
}

Status vault_check(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const auto rows, app.session.store().unverified_pointers());
  auto pointers = std::make_shared<std::vector<Pointer>>();
  for (const store::Row& row : rows) pointers->push_back(pointer_of(row));
  // While locked the rows are not verified, and what they say is shown.
  const auto strange = std::erase_if(*pointers, [](const Pointer& pointer) {
    return !valid_record_name(pointer.record) || !valid_record_name(pointer.kind) || !valid_record_name(pointer.blob);
  });
  auto bad = std::make_shared<std::vector<Pointer>>();
  app.loop.offload(
      [pointers, bad, &fs = app.session.fs(), home = app.session.home()] {
        for (const Pointer& pointer : *pointers)
          if (!problem_of(fs, home, pointer).empty()) bad->push_back(pointer);
      },
      [&app, pointers, bad, strange, reply = call.reply] {
        Json::Array problems;
        std::size_t count = 0;
        for (const Pointer& pointer : *bad)
          if (const std::string problem = problem_now(app.session, pointer); !problem.empty() && ++count <= kMostProblems)
            problems.push_back(problem_to_json(pointer, problem));
        if (strange > 0) problems.push_back(strange_rows(strange));
        if (count > kMostProblems) problems.push_back(more_problems(count - kMostProblems));
        Json out;
        for (const FileProblem& problem : check_files(app.session, app.unlock_refused))
          problems.push_back(file_problem(problem.file, problem.problem, problem.remedy));
        out.set("checked", static_cast<std::int64_t>(pointers->size()));
        out.set("ok", problems.empty());
        out.set("problems", std::move(problems));
        reply->ok(std::move(out));
      });
  return {};
}

Status recovery_create(Application& app, Call& call) {
  Params in(call.params);
  const std::string hex = in.text("public_key", 64);
  PV_TRY(in.done());
  const auto bytes = from_hex(hex);
  crypto::X25519PublicKey key;
  if (!bytes || bytes->size() != key.bytes.size()) return fail(Errc::invalid_params, "public_key must be 64 hex digits");
  std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
  PV_ASSIGN(SecretBytes signing, take_key(call, "signing"));
  PV_TRY(app.session.enroll_recovery(key, std::move(signing)));
  log_info("recovery words were made");
  PV_ASSIGN(const Json recovery, recovery_of(app.session));
  Json out;
  out.set("created_at", recovery["created_at"]);
  out.set("public_key", key.hex());
  call.reply->ok(std::move(out));
  return {};
}

Status recovery_show(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  const auto& key = app.session.keys().recovery_key();
  PV_ASSIGN(auto tx, app.session.begin());
  PV_TRY(tx.journal(journal::Kind::recovery_shown, {}));
  PV_TRY(app.session.commit(tx));
  Json out;
  out.set("public_key", key ? Json(key->hex()) : Json());
  call.reply->ok(std::move(out));
  return {};
}

Status recovery_report(Application& app, Call& call) {
  Params in(call.params);
  const std::string reason = in.text("reason", 16);
  PV_TRY(in.done());
  if (reason != "unknown_word" && reason != "count" && reason != "checksum")
    return fail(Errc::invalid_params, "reason is unknown_word, count or checksum");
  Json body;
  body.set("reason", reason);
  app.note_refusal(journal::Kind::recovery_failed, std::move(body));
  call.reply->ok(Json(Json::Object{}));
  return {};
}

// Wrong words cost a growing delay and never lock anybody out: right ones are never kept waiting.
Status vault_recover(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const Bundle bundle, Bundle::receive(call.bundle.release()));
  PV_ASSIGN(const SecretBytes recovery_key, key_in(bundle, "recovery_key"));
  PV_ASSIGN(SecretBytes key, key_in(bundle, "key"));
  const Status recovered = app.session.recover(recovery_key, std::move(key), [&app] { app.lock(); });
  if (!recovered) {
    if (recovered.error().code != Errc::words_wrong) return recovered;
    Json body;
    body.set("reason", info(recovered.error().code).word);
    app.note_refusal(journal::Kind::recovery_failed, std::move(body));
    answer_late(app, std::min(app.bad_recoveries++, 6U), recovered.error(), call.reply);
    return {};
  }
  app.bad_recoveries = 0;
  log_info("recovered with the recovery words");
  app.after_unlock();
  Json out;
  out.set("mode", to_string(app.session.keys().mode()));
  out.set("state", to_string(app.session.state()));
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace owner_methods
}  // namespace popvault::daemon
