#include "daemon/gate.hpp"

#include <algorithm>

#include "base/money.hpp"
#include "base/origin.hpp"
#include "crypto/random.hpp"
#include "ledger/purchases.hpp"
#include "session/records.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon {
namespace {

constexpr Seconds kDay = 24 * 3600;
constexpr std::size_t kMostPending = 20;  // of one agent: the owner must be able to read the list

struct Request {
  std::string record, currency, merchant, reason, page_url, idempotency_key;
  std::int64_t amount = 0;
};

// One line for the owner's eyes; what is in it beyond that is escaped where it is shown.
bool one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// Step 4.
Result<Request> parse_request(const Json& params) {
  Params in(params);
  Request out;
  out.record = in.text("record", 64);
  out.amount = in.integer("amount_minor", 1, kMaxMinor);
  out.currency = in.text("currency", 3);
  const std::string merchant = in.text("merchant_origin", 300);
  out.reason = in.text("reason", 200);
  out.page_url = in.optional_text("page_url", 2048).value_or("");
  out.idempotency_key = in.text("idempotency_key", 64);
  PV_TRY(in.done());
  if (!one_line(out.reason)) return fail(Errc::invalid_field, "reason must be one line");
  const bool plain_url = out.page_url.empty() || (Origin::of_url(out.page_url) && printable(out.page_url));
  if (!plain_url) return fail(Errc::invalid_field, "page_url must be an http or https URL in ASCII");
  PV_TRY(Currency::parse(out.currency));
  PV_ASSIGN(const Origin origin, Origin::parse(merchant));
  if (!origin.https() && !origin.loopback())
    return fail(Errc::invalid_field, "merchant_origin must be https");
  out.merchant = origin.text();
  return out;
}

Json purchase_body(const Request& request, const store::Row& agent, const store::Row& record, const Peer& peer,
                   Seconds now) {
  Json body;
  body.set("agent", agent.id);
  body.set("amount_minor", request.amount);
  body.set("currency", request.currency);
  body.set("executable", peer.caller.identity.executable);
  body.set("expires_at", now + ledger::kApprovalValid);
  body.set("idempotency_key", request.idempotency_key);
  body.set("merchant", request.merchant);
  body.set("page_url", request.page_url);
  body.set("reason", nullptr);
  body.set("record", record.id);
  body.set("record_version", record.body["version"]);
  body.set("requested_at", now);
  body.set("strength", std::string(policy::to_string(kAvailable)));
  body.set("text", request.reason);
  return body;
}

// Steps 7 and 8: purchase, hold and journal row in one transaction.
Result<store::Row> reserve(Session& session, Json body, const policy::Decision& decision) {
  store::Row purchase{"pur_" + crypto::random_token(26), 0, std::move(body)};
  PV_ASSIGN(auto tx, session.begin());
  Json journal_body;
  journal_body.set("agent", purchase.body["agent"]);
  journal_body.set("purchase", purchase.id);
  if (decision.verdict == policy::Verdict::deny) {
    purchase.body.set("status", "denied");
    purchase.body.set("reason", info(decision.reason).word);
    journal_body.set("reason", info(decision.reason).word);
    PV_TRY(tx.put(store::Table::purchases, purchase));
    PV_TRY(tx.journal(journal::Kind::request_denied, std::move(journal_body)));
  } else {
    const bool automatic = decision.verdict == policy::Verdict::allow;
    purchase.body.set("status", automatic ? "approved" : "awaiting_approval");
    if (automatic) purchase.body.set("approved_by", "policy");
    store::Row hold{purchase.id, 0, {}};
    hold.body.set("agent", purchase.body["agent"]);
    hold.body.set("amount_minor", purchase.body["amount_minor"]);
    hold.body.set("at", session.clock().now());
    hold.body.set("currency", purchase.body["currency"]);
    hold.body.set("state", "hold");
    PV_TRY(tx.put(store::Table::purchases, purchase));
    PV_TRY(tx.put(store::Table::ledger, hold));
    journal_body.set("status", purchase.body["status"]);
    PV_TRY(tx.journal(journal::Kind::purchase_requested, std::move(journal_body)));
  }
  PV_TRY(session.commit(tx));
  return purchase;
}

}  // namespace

Status check_usable(Application& app) {
  if (app.session.frozen()) return fail(Errc::frozen);
  return {};
}

Result<bool> flag_setting(Session& session, std::string_view name) {
  PV_ASSIGN(const auto row, session.store().get(store::Table::settings, name));
  return row && row->body["value"].bool_or(false);
}

// Plain http is for loopback, and only if the owner allowed it.
static Result<bool> origin_allowed(Session& session, std::string_view origin) {
  if (origin.starts_with("https://")) return true;
  return flag_setting(session, "allow_loopback_http");
}

// Steps 5 and 6.
Result<policy::Decision> decide_now(Session& session, std::string_view agent, const policy::UseRequest& request,
                                    std::string_view except) {
  PV_ASSIGN(const bool origin_ok, origin_allowed(session, request.merchant));
  if (!origin_ok) return policy::Decision{};
  PV_ASSIGN(const auto policy, gate::policy_of(session, agent));
  PV_ASSIGN(const std::int64_t spent,
            ledger::spent_since(session.store(), agent, session.clock().now() - kDay, request.currency, except));
  return policy::decide(request, policy ? &*policy : nullptr, {spent, spent, 0}, session.clock().now());
}

Result<store::Row> find_visible_record(Application& app, const store::Row& agent, std::string_view id_or_alias) {
  PV_ASSIGN(store::Row record, find_record(app.session, id_or_alias));
  PV_ASSIGN(const auto policy, gate::policy_of(app.session, agent.id));
  if (!policy || !policy->allows_record(record.id)) return fail(Errc::not_found, "record");
  return record;
}

bool edited_since(const store::Row& purchase, const store::Row& record) {
  const Json& version = purchase.body["record_version"];
  return !version.is_null() && version != record.body["version"];
}

Result<Json> purchase_view(Session& session, const store::Row& purchase) {
  Json out;
  // A purchase outlives its card.
  const auto record = find_kept_record(session, purchase.body["record"].text_or(""));
  if (!record && record.error().code != Errc::not_found) return tl::unexpected(record.error());
  Json card;
  if (record) {
    PV_ASSIGN(const MaskedView view, view_of(session, *record));
    card = to_json(view);
  }
  out.set("card", std::move(card));
  out.set("expires_at", rfc3339(purchase.body["expires_at"].int_or(0)));
  out.set("purchase", purchase.id);
  // A denial that could not be sealed yet counts already; what was asked for or approved was the record as it was.
  const bool denied = (session.narrowed("deny", purchase.id) || (record && edited_since(purchase, *record))) &&
                      ledger::may_become(purchase.body["status"].text_or(""), "denied");
  out.set("reason", denied ? Json("denied") : purchase.body["reason"]);
  out.set("status", denied ? Json("denied") : purchase.body["status"]);
  return out;
}

Status purchase_request(Application& app, Call& call) {
  Session& session = app.session;
  PV_ASSIGN(const store::Row agent, gate::authenticate(app.session, call.peer.caller));                     // 1
  PV_TRY(check_usable(app));                                                           // 2
  PV_TRY(app.rates.take(agent.id, session.clock().monotonic_ms()));                    // 3
  PV_ASSIGN(const Request request, parse_request(call.params));                        // 4
  const std::string hash = gate::request_hash("purchase.request", call.params);
  PV_ASSIGN(const auto earlier, session.store().purchase_with_key(agent.id, request.idempotency_key));
  if (earlier) {
    if (earlier->body["request_hash"].text_or("") != hash) return fail(Errc::idempotency_conflict);
    PV_ASSIGN(Json view, purchase_view(session, *earlier));
    call.reply->ok(std::move(view));
    return {};
  }
  const auto record = find_visible_record(app, agent, request.record);
  if (!record) return tl::unexpected(record.error());
  if (record->body["kind"].text_or("") != "card") return fail(Errc::unsupported, "only a card can pay");
  PV_ASSIGN(const auto pending, session.store().purchases_with_status("awaiting_approval"));
  const auto own = std::count_if(pending.begin(), pending.end(),
                                 [&](const store::Row& row) { return row.body["agent"].text_or("") == agent.id; });
  if (static_cast<std::size_t>(own) >= kMostPending) return fail(Errc::rate_limited, "too many wait for the owner");
  PV_ASSIGN(const policy::Decision decision,                                           // 5, 6
            decide_now(session, agent.id,
                       {record->id, request.merchant, request.currency, request.amount, kAvailable}, ""));
  Json body = purchase_body(request, agent, *record, call.peer, session.clock().now());
  body.set("request_hash", hash);
  PV_ASSIGN(const store::Row purchase, reserve(session, std::move(body), decision));   // 7, 8
  app.watchers.tell(purchase);
  PV_ASSIGN(Json view, purchase_view(session, purchase));                              // 15
  call.reply->ok(std::move(view));
  return {};
}

}  // namespace popvault::daemon
