// purchase.request and purchase.fill between the sockets and the gate.
//
// Requests that came in the same turn of the loop share one durable commit. A fill is a connection to the browser or its guard,
// an injector, and the gate's answers to it; which steps are taken is the gate's.

#include "daemon/browser.hpp"
#include "daemon/handlers.hpp"
#include "log/log.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon {
namespace {

constexpr std::size_t kMostInjections = 4;
constexpr std::size_t kMostArmed = 16;  // pages that wait for their request, or whose fields are still sealed
constexpr std::size_t kMostTogether = 256;

struct Fill {
  gate::Use use;
  std::shared_ptr<Reply> reply;
  std::vector<injector::FieldReport> fields;
  bool settled = false;  // sealed: the outcome is known before the injector ends
};

bool sealed(const Fill& fill) { return fill.use.job.strength == injector::Strength::sealed; }
bool wire(const Fill& fill) {
  return fill.use.job.strength == injector::Strength::wire || fill.use.job.strength == injector::Strength::wire_attached;
}

// The agent is answered once: for wire when the aliases stand in the page.
void refuse(Fill& fill, const Error& error, const Json& more) {
  if (const auto reply = std::exchange(fill.reply, nullptr)) reply->error(error, more);
}

void answer(Application& app, Fill& fill, const store::Row& purchase, Json more) {
  const auto reply = std::exchange(fill.reply, nullptr);
  if (!reply) return;
  more.set("browser", fill.use.job.guarded ? "guarded" : "attached");
  const auto view = app.gate.purchase_view(purchase);
  more.set("card", view ? (*view)["card"] : Json());
  more.set("purchase", purchase.id);
  more.set("strength", policy::to_string(static_cast<policy::Strength>(fill.use.job.strength)));
  reply->ok(std::move(more));
}

Json fields_of(const Fill& fill, const std::vector<injector::FieldReport>& fields) {
  Json more;
  more.set("fields", gate::reports(fields, fill.use.job.origins));
  return more;
}

// Nothing secret was handed over: the purchase is approved, as it was.
void finish_unused(Application& app, Fill& fill, const Error& error, Json more) {
  if (fill.use.armed && app.session.store().unsealed()) {
    if (const auto purchase = app.gate.disarm(fill.use, error); purchase) app.watchers.tell(*purchase);
  } else {
    app.gate.refuse(fill.use, error);
  }
  more.set("status", "approved");
  refuse(fill, error, more);
}

void finish(Application& app, Fill& fill, const gate::UseEnd& end) {
  const Error error = end.said ? Error{injector::to_errc(end.said->outcome), {}} : end.said.error();
  Json more;
  if (end.said) more = fields_of(fill, end.said->fields);
  if (fill.use.use_row == 0) return finish_unused(app, fill, error, std::move(more));
  if (!app.session.store().unsealed()) {
    // Locked while the injector worked: the row says `filling` and becomes outcome_unknown at the next unlock.
    more.set("status", "outcome_unknown");
    return refuse(fill, {Errc::outcome_unknown, {}}, more);
  }
  const auto purchase = app.gate.settle(fill.use, end);
  if (!purchase) {
    log_warning("settling " + fill.use.purchase + ": " + purchase.error().message());
    return refuse(fill, purchase.error(), {});
  }
  app.watchers.tell(*purchase);
  const std::string status = purchase->body["status"].text_or("");
  more.set("status", status);
  if (status == "awaiting_owner") app.announce("awaiting_owner");
  if (status != "filled" && status != "awaiting_owner") return refuse(fill, error, more);
  answer(app, fill, *purchase, std::move(more));
}

Result<std::optional<Descriptor>> ready(Application& app, Fill& fill, const injector::Ready& ready) {
  fill.fields = ready.fields;
  if (wire(fill)) return std::optional<Descriptor>{};
  std::optional<store::Row> moved;
  auto bundle = app.gate.unwrap(fill.use, moved);
  if (moved) app.watchers.tell(*moved);
  if (!bundle) return tl::unexpected(bundle.error());
  return std::optional<Descriptor>(std::move(*bundle));
}

Status armed(Application& app, Fill& fill) {
  if (sealed(fill)) {
    // The values stand in the sealed page; the injector stays to clear them.
    injector::Done done{fill.use.job.id, injector::Outcome::filled, true, false, fill.fields};
    finish(app, fill, {true, std::move(done)});
    fill.settled = true;
    return {};
  }
  std::optional<store::Row> moved;
  PV_TRY(app.gate.arm(fill.use, moved));
  app.watchers.tell(*moved);
  Json more = fields_of(fill, fill.fields);
  more.set("status", "armed");
  answer(app, fill, *moved, std::move(more));
  return {};
}

Result<Descriptor> wanted(Application& app, Fill& fill) {
  std::optional<store::Row> moved;
  auto bundle = app.gate.unwrap(fill.use, moved);
  if (moved) app.watchers.tell(*moved);
  return bundle;
}

Status start_injection(Application& app, const std::shared_ptr<Fill>& fill, Injections::Browser browser) {
  Injections::Answers answers;
  answers.ready = [&app, fill](const injector::Ready& said) { return ready(app, *fill, said); };
  answers.armed = [&app, fill] { return armed(app, *fill); };
  answers.wanted = [&app, fill] { return wanted(app, *fill); };
  answers.ended = [&app, fill](const gate::UseEnd& end) {
    if (fill->use.job.guarded) app.guard.close(fill->use.job.id);
    if (!fill->settled) finish(app, *fill, end);
  };
  return app.injections.start(fill->use.job, fill->use.purchase, fill->use.agent.id, std::move(browser), std::move(answers));
}

void connected(Application& app, const std::shared_ptr<Fill>& fill, Result<Injections::Browser> browser) {
  app.connecting.erase(fill->use.purchase);
  const Status started = browser ? start_injection(app, fill, std::move(*browser)) : Status(tl::unexpected(browser.error()));
  if (started) return;
  app.gate.refuse(fill->use, started.error());
  refuse(*fill, started.error(), {});
}

Status connect(Application& app, const std::shared_ptr<Fill>& fill) {
  if (!fill->use.job.guarded)
    return connect_browser(app.loop, app.session, [&app, fill](Result<Descriptor> browser) {
      if (!browser) return connected(app, fill, tl::unexpected(browser.error()));
      connected(app, fill, Injections::Browser{std::move(*browser), {}});
    });
  app.guard.open(fill->use.job.id, fill->use.job.strength,
                 [&app, fill](Result<Injections::Browser> browser) { connected(app, fill, std::move(browser)); });
  return {};
}

void answer_requests(Application& app) {
  const auto asked = std::exchange(app.requests, {});
  std::vector<gate::Asked> questions;
  questions.reserve(asked.size());
  for (const Application::Request& one : asked) questions.push_back(one.asked);
  const auto answers = app.gate.request(questions);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].purchase) {
      if (answers[i].purchase->body["status"].text_or("") != "denied") app.touch();
      app.watchers.tell(*answers[i].purchase);
    }
    asked[i].reply->give(answers[i].reply);
  }
}

// Steps 1 to 8 of a fill, then its connection.
Status fill(Application& app, Call& call, const Json& params) {
  PV_ASSIGN(gate::Use use, app.gate.begin_use(call.peer.caller, params));
  const std::string purchase = use.purchase;
  if (app.injections.running(purchase) || app.connecting.contains(purchase)) return fail(Errc::busy);
  if (app.injections.count() + app.connecting.size() >= kMostInjections || app.injections.armed() >= kMostArmed)
    return fail(Errc::busy);
  const auto fill = std::make_shared<Fill>(Fill{std::move(use), call.reply, {}, false});
  app.connecting.insert(purchase);
  const Status connecting = connect(app, fill);
  if (!connecting) app.connecting.erase(purchase);
  return connecting;
}

// For what does not pay: asked for and filled in one call. What the owner must approve first is answered as a request is, and
// filled by purchase.fill.
Status request_and_fill(Application& app, Call& call, std::string_view prefix) {
  PV_TRY(app.gate.check_caller(call.peer.caller));
  Params in(call.params);
  Json request = Json::Object{{"amount_minor", 0}, {"record", in.text("record", 64)}, {"merchant_origin", in.text("merchant_origin", 300)}, {"reason", in.text("reason", 200)},
                              {"idempotency_key", in.text("idempotency_key", 64)}};
  const Json& page = in.object("page");
  const bool submit = in.optional_flag("submit", false);
  PV_TRY(in.done());
  const std::string record = request["record"].text_or("");
  if (!record.starts_with(prefix) && !record.starts_with("tok_")) return fail(Errc::unsupported, "this record is of another kind");
  PV_ASSIGN(const auto policy, gate::policy_of(app.session, call.peer.caller.agent));
  if (!policy) return fail(Errc::not_found, "record");
  request.set("currency", policy->currency);
  const auto answers = app.gate.request({{call.peer.caller, request}});
  const gate::Answered& answered = answers.front();
  if (answered.purchase) app.watchers.tell(*answered.purchase);
  PV_ASSIGN(Json view, answered.reply);
  if (view["status"].text_or("") != "approved") {
    call.reply->ok(std::move(view));
    return {};
  }
  app.touch();
  return fill(app, call, Json::Object{{"page", page}, {"purchase", view["purchase"]}, {"submit", submit}});
}

}  // namespace

namespace agent_methods {

Status purchase_request(Application& app, Call& call) {
  if (app.requests.empty()) app.loop.post([&app] { answer_requests(app); });
  app.requests.push_back({{call.peer.caller, call.params}, call.reply});
  if (app.requests.size() >= kMostTogether) answer_requests(app);
  return {};
}

Status purchase_fill(Application& app, Call& call) { return fill(app, call, call.params); }

Status identity_fill(Application& app, Call& call) { return request_and_fill(app, call, "idn_"); }
Status login_fill(Application& app, Call& call) { return request_and_fill(app, call, "lgn_"); }

}  // namespace agent_methods
}  // namespace popvault::daemon
