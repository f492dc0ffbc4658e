// purchase.request and purchase.fill between the sockets and the gate.
//
// Requests that came in the same turn of the loop share one durable commit. A fill is a browser's connection, an injector,
// and the gate's answers to it; which steps are taken is the gate's.

#include "daemon/browser.hpp"
#include "daemon/handlers.hpp"
#include "log/log.hpp"

namespace popvault::daemon {
namespace {

constexpr std::size_t kMostInjections = 4;
constexpr std::size_t kMostTogether = 256;

struct Fill {
  gate::Use use;
  std::shared_ptr<Reply> reply;
};

// Nothing was handed over and row 9 was not written: the purchase stays approved.
void refuse(Application& app, const Fill& fill, const Error& error, const Json& more) {
  app.gate.refuse(fill.use, error);
  fill.reply->error(error, more);
}

void finish(Application& app, const std::shared_ptr<Fill>& fill, const gate::UseEnd& end) {
  const Error error = end.said ? Error{injector::to_errc(end.said->outcome), {}} : end.said.error();
  Json more;
  if (end.said) more.set("fields", gate::reports(end.said->fields, fill->use.job.origins));
  if (fill->use.use_row == 0) {
    more.set("status", "approved");
    return refuse(app, *fill, error, more);
  }
  if (!app.session.store().unsealed()) {
    // Locked while the injector worked: the row says `filling` and becomes outcome_unknown at the next unlock.
    more.set("status", "outcome_unknown");
    return fill->reply->error({Errc::outcome_unknown, {}}, more);
  }
  const auto purchase = app.gate.settle(fill->use, end);
  if (!purchase) {
    log_warning("settling " + fill->use.purchase + ": " + purchase.error().message());
    return fill->reply->error(purchase.error());
  }
  app.watchers.tell(*purchase);
  more.set("status", purchase->body["status"]);
  if (purchase->body["status"].text_or("") != "filled") return fill->reply->error(error, more);
  Json result = std::move(more);
  const auto view = app.gate.purchase_view(*purchase);
  result.set("browser", "attached");
  result.set("card", view ? (*view)["card"] : Json());
  result.set("purchase", purchase->id);
  result.set("strength", purchase->body["strength"]);
  fill->reply->ok(std::move(result));
}

Result<Descriptor> ready(Application& app, Fill& fill) {
  std::optional<store::Row> moved;
  auto bundle = app.gate.unwrap(fill.use, moved);
  if (moved) app.watchers.tell(*moved);
  return bundle;
}

Status start_injection(Application& app, const std::shared_ptr<Fill>& fill, Descriptor browser) {
  return app.injections.start(
      fill->use.job, fill->use.purchase, fill->use.agent.id, std::move(browser),
      [&app, fill](const injector::Ready&) { return ready(app, *fill); },
      [&app, fill](const gate::UseEnd& end) { finish(app, fill, end); });
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

}  // namespace

namespace agent_methods {

Status purchase_request(Application& app, Call& call) {
  if (app.requests.empty()) app.loop.post([&app] { answer_requests(app); });
  app.requests.push_back({{call.peer.caller, call.params}, call.reply});
  if (app.requests.size() >= kMostTogether) answer_requests(app);
  return {};
}

Status purchase_fill(Application& app, Call& call) {
  PV_ASSIGN(gate::Use use, app.gate.begin_use(call.peer.caller, call.params));
  const std::string purchase = use.purchase;
  if (app.injections.running(purchase) || app.connecting.contains(purchase)) return fail(Errc::busy);
  if (app.injections.count() + app.connecting.size() >= kMostInjections) return fail(Errc::busy);
  const auto fill = std::make_shared<Fill>(Fill{std::move(use), call.reply});
  PV_TRY(connect_browser(app.loop, app.session, [&app, fill](Result<Descriptor> browser) {
    app.connecting.erase(fill->use.purchase);
    const Status started = browser ? start_injection(app, fill, std::move(*browser))
                                   : Status(tl::unexpected(browser.error()));
    if (!started) refuse(app, *fill, started.error(), {});
  }));
  app.connecting.insert(purchase);
  return {};
}

}  // namespace agent_methods
}  // namespace popvault::daemon
