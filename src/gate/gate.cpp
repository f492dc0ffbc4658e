// Steps 1 to 8, and what agents see.

#include "gate/gate.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/money.hpp"
#include "base/origin.hpp"
#include "crypto/random.hpp"
#include "gate/proofs.hpp"
#include "log/log.hpp"
#include "rpc/params.hpp"
#include "session/purchase_ends.hpp"
#include "session/records.hpp"

namespace popvault::gate {
namespace {

// One line for the owner's eyes; what is in it beyond that is escaped where it is shown.
bool one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

constexpr std::size_t kMostShown = 256;
constexpr Seconds kQuarter = 900;

// Everything that a masked answer depends on besides what the store and the clock say.
std::string question_of(const Caller& caller, std::string_view what, std::initializer_list<std::string_view> more) {
  std::string out = caller.agent + '\n' + caller.agent_key + '\n' + std::to_string(caller.identity.uid) + '\n';
  out += what;
  for (const std::string_view one : more) out.append(1, '\n').append(std::to_string(one.size())).append(1, ' ').append(one);
  return out;
}

}  // namespace

struct Gate::Request {
  std::string record, currency, merchant, reason, page_url, idempotency_key, hash;
  std::int64_t amount = 0;
};

void Passage::pass(Step step) {
  const auto number = static_cast<std::uint8_t>(step);
  if (number > passed_ + 1) {
    log_warning("a step of the gate was left out; popvaultd stops");
    std::abort();
  }
  passed_ = std::max(passed_, number);
  if (watch_ != nullptr && *watch_) (*watch_)(step);
}

void Passage::require(Step step) const {
  if (passed_ >= static_cast<std::uint8_t>(step)) return;
  log_warning("a step of the gate was left out; popvaultd stops");
  std::abort();
}

// --- the steps

// Step 2.
Status Gate::check_state(const store::Row& agent) {
  if (session_->frozen()) return fail(Errc::frozen);
  return check_covered(agent);
}

bool pays(std::string_view record) noexcept { return record.starts_with("crd_"); }

Status Gate::check_kind(const store::Row& record, std::int64_t amount) const {
  const std::string kind = record.body["kind"].text_or("");
  if (kind == "card") return amount > 0 ? Status{} : fail(Errc::invalid_params, "amount_minor");
  if (kind != "identity" && kind != "login") return fail(Errc::unsupported, "only a card, an identity or a login can be filled");
  return amount == 0 ? Status{} : fail(Errc::invalid_params, "amount_minor is 0 for what does not pay");
}

Status Gate::check_covered(const store::Row& agent) {
  const bool covered = session_->state() == State::unlocked ||
                       (session_->state() == State::granted && session_->grants().covers_agent(agent.id, session_->clock().now()));
  return covered ? Status{} : fail(Errc::locked);
}

// Step 4.
Result<Gate::Request> Gate::parse_request(const Json& params) const {
  Params in(params);
  Request out;
  out.record = in.text("record", 64);
  const bool card = out.record.starts_with("crd_") || out.record.starts_with("tok_card_");
  out.amount = in.integer("amount_minor", card ? 1 : 0, kMaxMinor);
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
  if (!origin.https() && !origin.loopback()) return fail(Errc::invalid_field, "merchant_origin must be https");
  out.merchant = origin.text();
  out.hash = request_hash("purchase.request", params);
  return out;
}

Result<std::optional<policy::Policy>> Gate::policy_for(const std::string& agent) {
  auto policy = policy_of(*session_, agent);
  if (policy || (policy.error().code != Errc::state_corrupt && policy.error().code != Errc::state_rolled_back)) return policy;
  unverified_.insert(agent);
  return fail(Errc::denied);
}

Gate::Suspending::~Suspending() {
  for (const std::string& agent : std::exchange(gate_.unverified_, {}))
    if (const Status done = suspend_unverified(*gate_.session_, agent); !done)
      log_warning("suspending an agent whose policy does not verify: " + done.error().message());
}

// Step 5. A record that the policy does not name is not there for this agent.
Result<store::Row> Gate::check_authority(const store::Row& agent, std::string_view record) {
  PV_ASSIGN(store::Row row, find_record(*session_, record));
  PV_ASSIGN(const auto policy, policy_for(agent.id));
  if (!policy || !policy->allows_record(row.id)) return fail(Errc::not_found, "record");
  if (!session_->covers(agent.id, row.id)) return fail(Errc::locked);
  return row;
}

// Step 6.
Result<policy::Decision> Gate::decide(std::string_view agent, const policy::UseRequest& request, std::string_view except) {
  // Plain http is for loopback, and only if the owner allowed it.
  PV_ASSIGN(const bool http, flag_setting(*session_, "allow_loopback_http"));
  if (!request.merchant.starts_with("https://") && !http) return policy::Decision{};
  if (!session_->book().whole()) return fail(Errc::state_corrupt, "the ledger could not be read");
  PV_ASSIGN(const auto policy, policy_for(std::string(agent)));
  const Seconds now = session_->clock().now();
  return policy::decide(request, policy ? &*policy : nullptr, session_->book().spent(agent, request.currency, now, except), now);
}

// Steps 7 and 8: purchase, HOLD and journal row in one transaction.
Result<store::Row> Gate::reserve(store::Transaction& tx, Json body, const policy::Decision& decision) {
  store::Row purchase{"pur_" + crypto::random_token(26), 0, std::move(body)};
  const bool denied = decision.verdict == policy::Verdict::deny;
  const bool automatic = decision.verdict == policy::Verdict::allow;
  Json row;
  row.set("agent", purchase.body["agent"]);
  row.set("purchase", purchase.id);
  row.set("record", purchase.body["record"]);
  row.set("rule", policy::to_string(decision.rule));
  purchase.body.set("rule", policy::to_string(decision.rule));
  if (denied) {
    purchase.body.set("status", "denied");
    purchase.body.set("reason", info(decision.reason).word);
    row.set("reason", info(decision.reason).word);
  } else {
    purchase.body.set("status", automatic ? "approved" : "awaiting_approval");
    if (automatic) purchase.body.set("approved_by", "policy");
    row.set("status", purchase.body["status"]);
  }
  PV_TRY(session_->book().begin(tx, purchase));
  PV_TRY(tx.journal(denied ? journal::Kind::request_denied : journal::Kind::purchase_requested, std::move(row)));
  purchase.version = 1;
  return purchase;
}

// --- purchase.request

Answered Gate::request_one(store::Transaction& tx, const Asked& asked, bool& wrote) {
  Answered out;
  const auto steps = [&]() -> Status {
    Passage passage(&watch_);
    const Seconds now = session_->clock().now();
    PV_ASSIGN(const store::Row agent, authenticate(*session_, asked.caller));            // 1
    passage.pass(Step::authenticate);
    PV_TRY(check_state(agent));                                                          // 2
    passage.pass(Step::state);
    PV_TRY(agents_.take(agent.id, session_->clock().monotonic_ms()));                    // 3
    passage.pass(Step::rate);
    PV_ASSIGN(const Request request, parse_request(asked.params));                       // 4
    PV_ASSIGN(const auto earlier, session_->store().purchase_with_key(agent.id, request.idempotency_key));
    if (earlier && earlier->body["request_hash"].text_or("") != request.hash) return fail(Errc::idempotency_conflict);
    passage.pass(Step::parse);
    if (earlier) {
      out.reply = purchase_view(*earlier);
      return {};
    }
    PV_ASSIGN(const store::Row record, check_authority(agent, request.record));          // 5
    PV_TRY(check_kind(record, request.amount));
    passage.pass(Step::authority);
    PV_ASSIGN(const auto policy, policy_for(agent.id));
    PV_ASSIGN(const policy::Strength strength, available_for(record.id, policy, request.merchant));
    PV_ASSIGN(const policy::Decision decision,                                           // 6
              decide(agent.id, {record.id, request.merchant, request.currency, request.amount, strength, pays(record.id)}, ""));
    // What the policy denies uses up nothing that other agents share.
    if (decision.verdict != policy::Verdict::deny) PV_TRY(records_.take(record.id, session_->clock().monotonic_ms()));
    if (decision.verdict == policy::Verdict::ask && session_->book().waiting(agent.id) >= kMostWaiting)
      return fail(Errc::rate_limited, "too many wait for the owner");
    passage.pass(Step::policy);
    Json body;
    body.set("agent", agent.id);
    body.set("amount_minor", request.amount);
    body.set("currency", request.currency);
    body.set("executable", asked.caller.identity.executable);
    body.set("expires_at", now + ledger::kApprovalValid);
    body.set("held_at", now);
    body.set("idempotency_key", request.idempotency_key);
    body.set("merchant", request.merchant);
    body.set("page_url", request.page_url);
    body.set("reason", nullptr);
    body.set("record", record.id);
    body.set("record_version", record.body["version"]);
    body.set("request_hash", request.hash);
    body.set("requested_at", now);
    body.set("salt", crypto::random_token(26));  // the journal's digest of this row cannot be tried against guesses
    body.set("strength", std::string(policy::to_string(used_strength(record.id, strength))));
    body.set("text", request.reason);
    wrote = true;
    PV_ASSIGN(out.purchase, reserve(tx, std::move(body), decision));                     // 7, 8
    passage.pass(Step::reserve);
    passage.pass(Step::approve);
    out.reply = purchase_view(*out.purchase);                                            // 15
    return {};
  }();
  if (!steps) out.reply = tl::unexpected(steps.error());
  return out;
}

std::vector<Answered> Gate::request(const std::vector<Asked>& asked) {
  const Suspending suspending(*this);
  std::vector<Answered> out;
  const auto all = [&]() -> Status {
    PV_ASSIGN(auto tx, session_->begin_unmirrored());
    bool wrote = false;
    for (const Asked& one : asked) {
      bool written = false;
      out.push_back(request_one(tx, one, written));
      // What was half written takes the others of this commit with it.
      if (written && !out.back().purchase) return tl::unexpected(out.back().reply.error());
      wrote = wrote || written;
    }
    return wrote ? session_->commit_unmirrored(tx) : Status{};
  }();
  if (all) return out;
  out.resize(asked.size());
  for (Answered& one : out) {
    one.purchase.reset();
    one.reply = tl::unexpected(all.error());
  }
  return out;
}

// --- what agents see

const Json* Gate::shown(const std::string& question) {
  if (session_->state() != State::unlocked || session_->store().changes() != shown_changes_) return nullptr;
  const auto at = shown_.find(question);
  const Seconds now = session_->clock().now();
  return at != shown_.end() && at->second.since <= now && now < at->second.until ? &at->second.answer : nullptr;
}

Json Gate::show(const std::string& question, const store::Row& agent, Json answer) {
  if (session_->state() != State::unlocked) return answer;
  const std::uint64_t changes = session_->store().changes();
  if (changes != shown_changes_ || shown_.size() >= kMostShown) shown_.clear();
  shown_changes_ = changes;
  const Seconds now = session_->clock().now();
  // A card's month may end at a full quarter of an hour, wherever the clock stands.
  const Seconds until = std::min(agent.body["expires_at"].int_or(0), now - now % kQuarter + kQuarter);
  shown_.insert_or_assign(question, Shown{now, until, answer});
  return answer;
}

Result<Json> Gate::list(const Caller& caller, std::string_view kind, std::string_view cursor, std::int64_t limit) {
  const std::string question = question_of(caller, "list", {kind, cursor, std::to_string(limit)});
  if (const Json* const known = shown(question)) return *known;
  const Suspending suspending(*this);
  PV_ASSIGN(const store::Row agent, authenticate(*session_, caller));
  PV_TRY(check_state(agent));
  PV_ASSIGN(const auto policy, policy_for(agent.id));
  PV_ASSIGN(Json out, list_records(*session_, "credentials", kind, cursor, limit, [&](const store::Row& row) {
    return policy && policy->allows_record(row.id) && session_->covers(agent.id, row.id);
  }));
  return show(question, agent, std::move(out));
}

Result<Json> Gate::view(const Caller& caller, std::string_view id_or_alias) {
  const std::string question = question_of(caller, "view", {id_or_alias});
  if (const Json* const known = shown(question)) return *known;
  const Suspending suspending(*this);
  PV_ASSIGN(const store::Row agent, authenticate(*session_, caller));
  PV_TRY(check_state(agent));
  PV_ASSIGN(const store::Row record, check_authority(agent, id_or_alias));
  PV_ASSIGN(const MaskedView view, view_of(*session_, record));
  return show(question, agent, to_json(view));
}

Status Gate::check_caller(const Caller& caller) {
  PV_ASSIGN(const store::Row agent, authenticate(*session_, caller));
  return check_covered(agent);
}

Result<store::Row> Gate::own_purchase(const Caller& caller, std::string_view id) {
  PV_ASSIGN(const store::Row agent, authenticate(*session_, caller));
  PV_TRY(check_covered(agent));
  PV_ASSIGN(auto row, session_->store().get(store::Table::purchases, id));
  if (!row || row->body["agent"].text_or("") != agent.id) return fail(Errc::not_found, "purchase");
  return std::move(*row);
}

Result<Json> Gate::purchase_view(const store::Row& purchase) {
  Json out;
  // A purchase outlives its card.
  const auto record = find_kept_record(*session_, purchase.body["record"].text_or(""));
  if (!record && record.error().code != Errc::not_found) return tl::unexpected(record.error());
  Json card;
  if (record) {
    PV_ASSIGN(const MaskedView view, view_of(*session_, *record));
    card = to_json(view);
  }
  out.set("card", std::move(card));
  out.set("expires_at", rfc3339(purchase.body["expires_at"].int_or(0)));
  out.set("purchase", purchase.id);
  // A denial that could not be sealed yet counts already; what was asked for or approved was the record as it was.
  const bool denied = (session_->narrowed("deny", purchase.id) || (record && edited_since(purchase, *record))) &&
                      ledger::may_become(purchase.body["status"].text_or(""), "denied");
  out.set("reason", denied ? Json("denied") : purchase.body["reason"]);
  out.set("status", denied ? Json("denied") : purchase.body["status"]);
  return out;
}

Result<bool> flag_setting(Session& session, std::string_view name) {
  PV_ASSIGN(const auto row, session.store().get(store::Table::settings, name));
  return row && row->body["value"].bool_or(false);
}

bool edited_since(const store::Row& purchase, const store::Row& record) {
  const Json& version = purchase.body["record_version"];
  return !version.is_null() && version != record.body["version"];
}

void Gate::replay_rates() {
  if (replayed_) return;
  const Status replayed = replay(*session_, agents_, records_);
  if (!replayed) return log_warning("reading how much was asked lately: " + replayed.error().message());
  replayed_ = true;
}

}  // namespace popvault::gate
