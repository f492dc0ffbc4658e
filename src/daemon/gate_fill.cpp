// purchase.fill: steps 1 to 6 again, the injector until it is ready, then 9 to 15.

#include <array>

#include "crypto/random.hpp"
#include "daemon/browser.hpp"
#include "session/epochs.hpp"
#include "daemon/gate.hpp"
#include "log/log.hpp"
#include "ledger/purchases.hpp"
#include "session/records.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon {
namespace {

constexpr std::uint32_t kInjectionMs = 20'000;
constexpr std::size_t kMostInjections = 4;

struct Page {
  bool by_target_id = false;
  std::string text;
};

struct FillRequest {
  std::string purchase;
  Page page;
};

// What goes from step to step of one fill.
struct Fill {
  store::Row agent;
  Peer peer;
  std::string purchase;
  Page page;
  std::vector<std::string> origins;
  injector::Job job;
  std::int64_t use_row = 0;
  std::shared_ptr<Reply> reply;
};

Result<FillRequest> parse_fill(const Json& params) {
  Params in(params);
  FillRequest out;
  out.purchase = in.text("purchase", 64);
  const Json& page = in.object("page");
  PV_TRY(in.done());
  Params inner(page);
  const auto target = inner.optional_text("target_id", 128);
  const auto url = inner.optional_text("url", 2048);
  PV_TRY(inner.done());
  if (target.has_value() == url.has_value())
    return fail(Errc::invalid_params, "page must have exactly one of target_id and url");
  out.page = {target.has_value(), target ? *target : *url};
  return out;
}

Result<store::Row> own_purchase(Session& session, std::string_view agent, std::string_view id) {
  PV_ASSIGN(auto row, session.store().get(store::Table::purchases, id));
  if (!row || row->body["agent"].text_or("") != agent) return fail(Errc::not_found, "purchase");
  return std::move(*row);
}

// Steps 5 and 6, and that the approval still stands.
Status check_approved(Application& app, const store::Row& agent, const store::Row& purchase) {
  const std::string status = purchase.body["status"].text_or("");
  if (status != "approved") return fail(ledger::refusal_of(status));
  if (app.session.narrowed("deny", purchase.id)) return fail(Errc::denied);
  PV_ASSIGN(const store::Row record, find_record(app.session, purchase.body["record"].text_or("")));
  if (edited_since(purchase, record)) return fail(Errc::denied, "the record was edited since");
  if (purchase.body["expires_at"].int_or(0) <= app.session.clock().now()) return fail(Errc::purchase_expired);
  const policy::UseRequest request{purchase.body["record"].text_or(""), purchase.body["merchant"].text_or(""),
                                   purchase.body["currency"].text_or(""), purchase.body["amount_minor"].int_or(0),
                                   kAvailable};
  PV_ASSIGN(const policy::Decision decision, decide_now(app.session, agent.id, request, purchase.id));
  if (decision.verdict == policy::Verdict::deny) return fail(decision.reason);
  return {};
}

Result<injector::Job> make_job(Application& app, const store::Row& agent, const store::Row& purchase,
                               const Page& page) {
  injector::Job job;
  crypto::fill_random(job.id);
  job.by_target_id = page.by_target_id;
  job.page = page.text;
  const std::string merchant = purchase.body["merchant"].text_or("");
  job.origins.push_back(merchant);
  PV_ASSIGN(const auto policy, gate::policy_of(app.session, agent.id));
  if (policy && policy->find(merchant) != nullptr)
    for (const std::string& processor : policy->find(merchant)->processors) job.origins.push_back(processor);
  PV_ASSIGN(const store::Row record, find_record(app.session, purchase.body["record"].text_or("")));
  PV_TRY(read_record_blob(app.session, record));  // a damaged record is told before anything is journalled
  job.has_cvc = record.body["has_cvv"].bool_or(false);
  job.has_holder = record.body["has_holder"].bool_or(false);
  PV_ASSIGN(job.allow_loopback_http, flag_setting(app.session, "allow_loopback_http"));
  job.deadline_ms = kInjectionMs;
  return job;
}

Json reports(const std::vector<injector::FieldReport>& fields, const std::vector<std::string>& origins) {
  Json::Array out;
  for (const injector::FieldReport& field : fields) {
    Json item;
    item.set("field", injector::to_string(field.field));
    item.set("ok", field.why == injector::Why::ok);
    item.set("origin", field.origin < origins.size() ? Json(origins[field.origin]) : Json());
    if (field.why != injector::Why::ok) item.set("why", injector::to_string(field.why));
    out.push_back(std::move(item));
  }
  return out;
}

// Step 9: the row that says why is on disk and mirrored before any key is unwrapped.
Status journal_use(Application& app, Fill& fill, store::Row& purchase) {
  Session& session = app.session;
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(ledger::move_purchase(session.store(), tx, purchase, "filling"));
  Json body;
  body.set("agent", fill.agent.id);
  body.set("browser", "attached");
  body.set("executable", fill.peer.caller.identity.executable);
  body.set("injector", app.injector_sha256);
  body.set("merchant", purchase.body["merchant"]);
  body.set("purchase", purchase.id);
  body.set("record", purchase.body["record"]);
  body.set("strength", purchase.body["strength"]);
  PV_TRY(tx.journal(journal::Kind::use_begin, std::move(body)));
  const std::uint64_t before = session.store().head().seq;
  const Status committed = session.commit(tx);
  // The row may stand although vault.enc could not be written: then the use has begun and must be settled.
  if (session.store().head().seq != before) fill.use_row = static_cast<std::int64_t>(session.store().head().seq);
  return committed;
}

// Step 10: record key -> fields, straight into the bundle.
Result<Descriptor> unwrap(Application& app, const Fill& fill, const store::Row& record, ByteView blob) {
  PV_ASSIGN(BundleWriter bundle, BundleWriter::create(fill.job.id));
  PV_ASSIGN(const std::size_t size,
            open_record_into(app.session.keys(), place_of(record), blob, bundle.body(SecretAccess{})));
  PV_ASSIGN(const int descriptor, bundle.finish(size));
  return Descriptor(descriptor);
}

// The injector is ready: everything is looked at once more, then steps 9 and 10.
Result<Descriptor> ready(Application& app, Fill& fill) {
  if (app.session.state() != State::unlocked) return fail(Errc::locked);
  PV_TRY(check_usable(app));
  PV_ASSIGN(const store::Row agent, gate::authenticate(app.session, fill.peer.caller));
  PV_ASSIGN(store::Row purchase, own_purchase(app.session, agent.id, fill.purchase));
  PV_TRY(check_approved(app, agent, purchase));
  // The injector looked by the rules of its start: they must still be the rules.
  PV_ASSIGN(const injector::Job now, make_job(app, agent, purchase, fill.page));
  if (now.origins != fill.job.origins || now.allow_loopback_http != fill.job.allow_loopback_http)
    return fail(Errc::denied, "the policy changed");
  PV_ASSIGN(const store::Row record, find_record(app.session, purchase.body["record"].text_or("")));
  PV_ASSIGN(const Bytes blob, read_record_blob(app.session, record));
  PV_TRY(journal_use(app, fill, purchase));
  app.watchers.tell(purchase);
  return unwrap(app, fill, record, blob);
}

// Steps 13 and 14 after the bundle left, or after row 9.
Result<store::Row> settle(Application& app, const Fill& fill, const InjectionEnd& end) {
  Session& session = app.session;
  PV_ASSIGN(store::Row purchase, own_purchase(session, fill.agent.id, fill.purchase));
  const bool filled = end.handed_over && end.said && end.said->outcome == injector::Outcome::filled;
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(ledger::move_purchase(session.store(), tx, purchase, filled ? "filled" : "outcome_unknown"));
  Json body;
  body.set("purchase", purchase.id);
  body.set("use", fill.use_row);
  if (end.said) {
    body.set("cleared", end.said->cleared);
    body.set("fields", reports(end.said->fields, fill.origins));
    body.set("outcome", filled ? "filled" : std::string(info(injector::to_errc(end.said->outcome)).word));
    body.set("typed", end.said->typed);
  } else {
    body.set("outcome", info(end.said.error().code).word);
  }
  PV_TRY(tx.journal(filled ? journal::Kind::use_done : journal::Kind::use_unknown, std::move(body)));
  PV_TRY(session.commit(tx));
  return purchase;
}

// Nothing was handed over and row 9 was not written: the purchase stays approved.
void refuse(Application& app, const Fill& fill, const Error& error, const Json& more) {
  if (app.session.state() == State::unlocked) {
    Json body;
    body.set("agent", fill.agent.id);
    body.set("purchase", fill.purchase);
    body.set("reason", info(error.code).word);
    (void)app.session.note(journal::Kind::use_refused, std::move(body));
  }
  fill.reply->error(error, more);
}

// A record that was used moves to the current epoch.
void rewrap_used(Session& session, const store::Row& purchase) {
  const auto record = find_kept_record(session, purchase.body["record"].text_or(""));
  const Status moved = record ? rewrap(session, {*record}) : Status(tl::unexpected(record.error()));
  if (!moved) log_warning("re-encrypting a used record: " + moved.error().message());
}

void finish(Application& app, const std::shared_ptr<Fill>& fill, const InjectionEnd& end) {
  const Error error = end.said ? Error{injector::to_errc(end.said->outcome), {}} : end.said.error();
  Json more;
  if (end.said) more.set("fields", reports(end.said->fields, fill->origins));
  if (fill->use_row == 0) {
    more.set("status", "approved");
    return refuse(app, *fill, error, more);
  }
  if (app.session.state() != State::unlocked) {
    // Locked while the injector worked: the row says `filling` and becomes outcome_unknown at the next unlock.
    more.set("status", "outcome_unknown");
    return fill->reply->error({Errc::outcome_unknown, {}}, more);
  }
  const auto purchase = settle(app, *fill, end);
  if (!purchase) {
    log_warning("settling " + fill->purchase + ": " + purchase.error().message());
    return fill->reply->error(purchase.error());
  }
  app.watchers.tell(*purchase);
  rewrap_used(app.session, *purchase);
  more.set("status", purchase->body["status"]);
  if (purchase->body["status"].text_or("") != "filled") return fill->reply->error(error, more);
  Json result = std::move(more);
  const auto view = purchase_view(app.session, *purchase);
  result.set("browser", "attached");
  result.set("card", view ? (*view)["card"] : Json());
  result.set("purchase", purchase->id);
  result.set("strength", purchase->body["strength"]);
  fill->reply->ok(std::move(result));
}

Status start_injection(Application& app, const std::shared_ptr<Fill>& fill, Descriptor browser) {
  return app.injections.start(
      fill->job, fill->purchase, fill->agent.id, std::move(browser),
      [&app, fill](const injector::Ready&) { return ready(app, *fill); },              // 9, 10
      [&app, fill](const InjectionEnd& end) { finish(app, fill, end); });              // 11 to 15
}

}  // namespace

Status purchase_fill(Application& app, Call& call) {
  Session& session = app.session;
  PV_ASSIGN(store::Row agent, gate::authenticate(app.session, call.peer.caller));                           // 1
  PV_TRY(check_usable(app));                                                           // 2
  PV_TRY(app.rates.take(agent.id, session.clock().monotonic_ms()));                    // 3
  PV_ASSIGN(const FillRequest request, parse_fill(call.params));                       // 4
  PV_ASSIGN(const store::Row purchase, own_purchase(session, agent.id, request.purchase));
  if (app.injections.running(purchase.id) || app.connecting.contains(purchase.id)) return fail(Errc::busy);
  PV_TRY(check_approved(app, agent, purchase));                                        // 5, 6
  if (app.injections.count() + app.connecting.size() >= kMostInjections) return fail(Errc::busy);
  auto fill = std::make_shared<Fill>();
  PV_ASSIGN(fill->job, make_job(app, agent, purchase, request.page));
  fill->origins = fill->job.origins;
  fill->agent = std::move(agent);
  fill->peer = call.peer;
  fill->purchase = purchase.id;
  fill->page = request.page;
  fill->reply = call.reply;
  PV_TRY(connect_browser(app.loop, session, [&app, fill](Result<Descriptor> browser) {
    app.connecting.erase(fill->purchase);
    const Status started = browser ? start_injection(app, fill, std::move(*browser))
                                   : Status(tl::unexpected(browser.error()));
    if (!started) refuse(app, *fill, started.error(), {});
  }));
  app.connecting.insert(fill->purchase);
  return {};
}

}  // namespace popvault::daemon
