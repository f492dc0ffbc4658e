#include <algorithm>

#include "crypto/digest.hpp"
#include "daemon/handlers.hpp"
#include "session/records.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon::agent_methods {
namespace {

constexpr std::size_t kMostOfOneAgent = 128;  // connections

Status reject_key(Application& app, Call& call) {
  ++call.peer.bad_keys;
  Json body;
  body.set("executable", call.peer.caller.identity.executable);
  app.note_refusal(journal::Kind::agent_rejected, std::move(body));
  // A good key is never held up by the bad ones of others.
  const Status taken = app.bad_keys.take(std::to_string(call.peer.caller.identity.uid), app.session.clock().monotonic_ms());
  return fail(call.peer.bad_keys > 10 || !taken ? Errc::rate_limited : Errc::unauthenticated);
}

Result<store::Row> own_purchase(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("purchase", 64);
  if (in.has("timeout_ms")) in.integer("timeout_ms", 0, 600'000);
  PV_TRY(in.done());
  PV_TRY(app.expire());
  return app.gate.own_purchase(call.peer.caller, id);
}

// A purchase.wait in progress: ends at the first change or when its time is over.
struct Waiting {
  gate::Caller caller;
  std::uint64_t watcher = 0;
  std::unique_ptr<Timer> timer;
  std::shared_ptr<Reply> reply;
};

void answer_waiting(Application& app, const std::shared_ptr<Waiting>& waiting, const std::string& id) {
  app.watchers.remove(waiting->watcher);
  waiting->timer.reset();
  if (!app.session.store().unsealed()) return waiting->reply->error({Errc::locked, {}});
  // Who asked may have been suspended since.
  const auto row = app.gate.own_purchase(waiting->caller, id);
  if (!row) return waiting->reply->error(row.error());
  waiting->reply->give(app.gate.purchase_view(*row));
}

}  // namespace

Status vault_status(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  Json out;
  out.set("frozen", app.session.frozen());
  out.set("state", to_string(app.session.state()));
  out.set("version", kVersion);
  call.reply->ok(std::move(out));
  return {};
}

Status session_hello(Application& app, Call& call) {
  Params in(call.params);
  const std::string key = in.text("agent_key", 128);
  in.text("client", 64);
  PV_TRY(in.done());
  if (!app.session.has_store()) return fail(Errc::vault_missing);
  if (call.peer.bad_keys > 10) return fail(Errc::rate_limited);
  const std::string hash = crypto::sha256(as_bytes(key)).hex();
  Json out;
  if (!app.session.store().unsealed()) {
    // Nothing sealed can be checked yet: every later request checks the row again.
    PV_ASSIGN(const auto id, app.session.store().unverified_agent_with_key(hash));
    if (!id || app.session.narrowed("revoke", *id)) return reject_key(app, call);
    call.peer.caller.agent = *id;
    call.peer.caller.agent_key = hash;
    out.set("name", nullptr);
  } else {
    call.peer.caller.agent_key = hash;
    PV_ASSIGN(const auto row, app.session.store().agent_with_key(hash));
    if (row) call.peer.caller.agent = row->id;
    const auto agent = gate::authenticate(app.session, call.peer.caller);
    if (!agent) {
      call.peer.caller.agent.clear();
      return agent.error().code == Errc::unauthenticated ? reject_key(app, call) : tl::unexpected(agent.error());
    }
    out.set("name", agent->body["name"]);
    if (gate::expires_soon(*agent, app.session.clock().now()))
      out.set("key_expires_at", rfc3339(agent->body["expires_at"].int_or(0)));
    app.note_sighting(call.peer);
  }
  // One agent does not take every place.
  if (app.connections_of && app.connections_of(call.peer.caller.agent) > kMostOfOneAgent) {
    call.peer.caller = {call.peer.caller.identity, {}, {}};
    return fail(Errc::too_many_connections);
  }
  out.set("agent", call.peer.caller.agent);
  out.set("browser", guarded_browser(app.guard));
  out.set("home", app.session.home());
  out.set("version", kVersion);
  call.reply->ok(std::move(out));
  return {};
}

Status credentials_list(Application& app, Call& call) {
  Params in(call.params);
  const std::string kind = in.optional_text("kind", 16).value_or("");
  const std::string cursor = in.optional_text("cursor", 64).value_or("");
  const std::int64_t limit = in.optional_integer("limit", 1, 100, 50);
  PV_TRY(in.done());
  PV_ASSIGN(Json out, app.gate.list(call.peer.caller, kind, cursor, limit));
  call.reply->ok(std::move(out));
  return {};
}

Status credentials_get(Application& app, Call& call) {
  Params in(call.params);
  const auto id = in.optional_text("id", 64);
  const auto alias = in.optional_text("alias", 64);
  PV_TRY(in.done());
  if (id.has_value() == alias.has_value()) return fail(Errc::invalid_params, "give exactly one of id and alias");
  PV_ASSIGN(Json out, app.gate.view(call.peer.caller, id ? *id : *alias));
  call.reply->ok(std::move(out));
  return {};
}

Status purchase_status(Application& app, Call& call) {
  PV_ASSIGN(const store::Row row, own_purchase(app, call));
  PV_ASSIGN(Json view, app.gate.purchase_view(row));
  call.reply->ok(std::move(view));
  return {};
}

Status purchase_wait(Application& app, Call& call) {
  const std::int64_t timeout = call.params["timeout_ms"].int_or(0);
  if (call.params.find("timeout_ms") == nullptr) return fail(Errc::invalid_params, "timeout_ms is missing");
  PV_ASSIGN(const store::Row row, own_purchase(app, call));
  if (row.body["status"].text_or("") != "awaiting_approval" || timeout == 0) return purchase_status(app, call);
  const auto waiting = std::make_shared<Waiting>();
  waiting->caller = call.peer.caller;
  waiting->reply = call.reply;
  waiting->watcher = app.watchers.add([&app, waiting, id = row.id](const auto& changed, const auto&, const auto&) {
    if (changed == id) answer_waiting(app, waiting, id);
  });
  // Not past the purchase's own end, which is noticed then.
  waiting->timer = app.loop.after(timeout, [&app, waiting, id = row.id] { answer_waiting(app, waiting, id); });
  return {};
}

Status purchase_cancel(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("purchase", 64);
  PV_TRY(in.done());
  PV_TRY(app.expire());
  PV_ASSIGN(const store::Row before, app.gate.own_purchase(call.peer.caller, id));
  // Nothing secret has moved while it is armed.
  if (before.body["status"].text_or("") == "armed") app.injections.stop_purchase(before.id);
  if (app.injections.running(before.id)) return fail(Errc::busy);
  PV_ASSIGN(const store::Row row, app.gate.cancel(call.peer.caller, id));
  app.watchers.tell(row);
  Json out;
  out.set("purchase", row.id);
  out.set("status", "canceled");
  call.reply->ok(std::move(out));
  return {};
}

Status events_subscribe(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_TRY(app.gate.check_caller(call.peer.caller));
  call.peer.subscribed = true;
  Json out;
  out.set("subscribed", true);
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::agent_methods
