// owner.sock: policies.

#include <algorithm>
#include <set>

#include "base/money.hpp"
#include "base/origin.hpp"
#include "daemon/handlers.hpp"
#include "policy/explain.hpp"
#include "rpc/params.hpp"
#include "session/records.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr std::size_t kMostMerchants = 100;
constexpr std::size_t kMostProcessors = 32;
constexpr std::size_t kMostAccounts = 16;
constexpr std::size_t kLongestAccount = 256;
constexpr std::size_t kLongestSelector = 256;
constexpr std::size_t kMostRecords = 500;
constexpr std::int64_t kMostUses = 100'000;
constexpr std::int64_t kMostDrift = 10'000;             // 100 %
constexpr std::int64_t kLastSecond = 253'402'300'799;   // of the year 9999

Result<std::string> checked_origin(const Json& value, std::string_view name) {
  const std::string* text = value.string();
  if (text == nullptr) return fail(Errc::invalid_params, std::string(name) + " must be an origin");
  PV_ASSIGN(const Origin origin, Origin::parse(*text));
  if (!origin.https() && !origin.loopback()) return fail(Errc::invalid_field, std::string(name) + " must be https");
  return origin.text();
}

Result<std::vector<std::string>> checked_processors(const Json::Array& items) {
  std::vector<std::string> out;
  for (const Json& item : items) {
    PV_ASSIGN(std::string processor, checked_origin(item, "processor"));
    if (std::find(out.begin(), out.end(), processor) == out.end()) out.push_back(std::move(processor));
  }
  return out;
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

Result<std::vector<std::string>> checked_accounts(const Json::Array& items) {
  std::vector<std::string> out;
  for (const Json& item : items) {
    const std::string* account = item.string();
    if (account == nullptr) return fail(Errc::invalid_params, "an account must be a text");
    if (account->empty() || account->size() > kLongestAccount || !printable(*account))
      return fail(Errc::invalid_field, "an account is 1 to 256 printable ASCII characters");
    if (std::find(out.begin(), out.end(), *account) == out.end()) out.push_back(*account);
  }
  return out;
}

Result<std::string> checked_selector(const Json& value) {
  if (value.is_null()) return std::string();
  const std::string* selector = value.string();
  if (selector == nullptr) return fail(Errc::invalid_params, "price_selector must be a text, or null");
  if (selector->empty() || selector->size() > kLongestSelector || !printable(*selector))
    return fail(Errc::invalid_field, "price_selector is a CSS selector of 1 to 256 printable ASCII characters");
  return *selector;
}

Result<std::vector<policy::Merchant>> checked_merchants(const Json::Array& items) {
  std::vector<policy::Merchant> out;
  std::set<std::string> seen;
  for (const Json& item : items) {
    Params in(item);
    const Json& origin = in.any("origin");
    const Json::Array none;
    const Json::Array& processors = in.has("processors") ? in.array("processors", kMostProcessors) : none;
    const Json::Array& accounts = in.has("accounts") ? in.array("accounts", kMostAccounts) : none;
    const Json& selector = in.any("price_selector");
    PV_TRY(in.done());
    policy::Merchant merchant;
    PV_ASSIGN(merchant.origin, checked_origin(origin, "origin"));
    PV_ASSIGN(merchant.processors, checked_processors(processors));
    PV_ASSIGN(merchant.accounts, checked_accounts(accounts));
    PV_ASSIGN(merchant.price_selector, checked_selector(selector));
    if (!seen.insert(merchant.origin).second) return fail(Errc::invalid_field, "merchants has " + merchant.origin + " twice");
    out.push_back(std::move(merchant));
  }
  return out;
}

// Ids or aliases of records that there are, "*", and whatever stands in the policy already.
Result<std::vector<std::string>> checked_records(Session& session, const Json& value, const policy::Policy* before) {
  if (value.is_null()) return std::vector<std::string>{"*"};
  if (value.array() == nullptr || value.array()->empty()) return fail(Errc::invalid_params, "records must be a list of ids");
  if (value.array()->size() > kMostRecords) return fail(Errc::invalid_params, "records has more than 500 ids");
  std::vector<std::string> out;
  for (const Json& item : *value.array()) {
    std::string id = item.text_or("");
    const bool stands = before != nullptr && std::find(before->records.begin(), before->records.end(), id) != before->records.end();
    if (id != "*" && !stands) {
      PV_ASSIGN(const store::Row row, find_record(session, id));
      id = row.id;
    }
    if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(std::move(id));
  }
  return out;
}

Status check_limits(const policy::Policy& policy) {
  if (policy.per_use > policy.per_day) return fail(Errc::invalid_field, "per_use_minor is over per_day_minor");
  if (policy.per_day > policy.per_month) return fail(Errc::invalid_field, "per_day_minor is over per_month_minor");
  return {};
}

// null: it does not expire.
Result<std::int64_t> checked_expiry(const Json& value) {
  if (value.is_null()) return 0;
  const std::int64_t* seconds = value.integer();
  if (seconds == nullptr || *seconds < 1 || *seconds > kLastSecond)
    return fail(Errc::invalid_params, "expires_at must be seconds since 1970, or null");
  return *seconds;
}

// What a request would make of an agent's policy.
struct Proposal {
  store::Row agent;
  std::optional<policy::Policy> before;
  policy::Policy after;
  std::vector<policy::Change> changes;
};

Result<Proposal> read_proposal(Session& session, const Json& params) {
  Params in(params);
  Proposal out;
  policy::Policy& after = out.after;
  const std::string name = in.text("agent", 64);
  const Json::Array& merchants = in.array("merchants", kMostMerchants);
  const Json& records = in.any("records");
  after.currency = in.text("currency", 3);
  after.per_use = in.integer("per_use_minor", 0, kMaxMinor);
  after.per_day = in.integer("per_day_minor", 0, kMaxMinor);
  after.per_month = in.optional_integer("per_month_minor", 0, kMaxMinor, gate::default_month(after.per_day));
  after.uses_per_hour = in.optional_integer("uses_per_hour", 0, kMostUses, gate::kUsesPerHour);
  after.ask_above = in.optional_integer("ask_above_minor", 0, kMaxMinor, 0);
  const auto strength = policy::parse_strength(in.optional_text("strength", 16).value_or("wire"));
  const std::string unlisted = in.optional_text("unlisted", 8).value_or("deny");
  after.drift_bp = in.optional_integer("drift_bp", 0, kMostDrift, 0);
  const Json& expires = in.any("expires_at");
  after.killed = in.optional_flag("killed", false);
  PV_TRY(in.done());
  PV_TRY(Currency::parse(after.currency));
  if (!strength) return fail(Errc::invalid_field, "strength is wire, sealed, wire_attached or dom");
  after.minimum = *strength;
  if (unlisted != "deny" && unlisted != "ask") return fail(Errc::invalid_field, "unlisted is deny or ask");
  after.unlisted = unlisted == "ask" ? policy::Unlisted::ask : policy::Unlisted::deny;
  PV_TRY(check_limits(after));
  PV_ASSIGN(after.expires_at, checked_expiry(expires));
  PV_ASSIGN(out.agent, gate::find_agent(session, name));
  PV_ASSIGN(out.before, gate::policy_of(session, out.agent.id));
  PV_ASSIGN(after.merchants, checked_merchants(merchants));
  PV_ASSIGN(after.records, checked_records(session, records, out.before ? &*out.before : nullptr));
  out.changes = policy::differences(out.before ? &*out.before : nullptr, after);
  return out;
}

Json with_agent(Json out, const std::string& agent) {
  out.set("agent", agent);
  return out;
}

// The row, its journal row, and an end to whatever waits by the rules of before.
Status replace_policy(Application& app, const Proposal& proposal, journal::Kind kind) {
  Session& session = app.session;
  const std::string& agent = proposal.agent.id;
  PV_ASSIGN(const auto row, session.store().get_with_deleted(store::Table::policies, agent));
  app.injections.stop_waiting(agent);
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::policies, {agent, row ? row->version : 0, gate::policy_to_json(proposal.after)}));
  Json body;
  body.set("agent", agent);
  body.set("differences", static_cast<std::int64_t>(proposal.changes.size()));
  body.set("widens", policy::first_widening(proposal.changes) != nullptr);
  PV_TRY(tx.journal(kind, std::move(body)));
  return session.commit(tx);
}

Result<policy::UseRequest> parse_question(Application& app, const std::string& agent, const Json& question) {
  Params in(question);
  policy::UseRequest out;
  const std::string record = in.text("record", 64);
  out.amount = in.integer("amount_minor", 0, kMaxMinor);
  out.currency = in.text("currency", 3);
  const Json& origin = in.any("merchant_origin");
  const auto strength = in.optional_text("strength", 16);
  PV_TRY(in.done());
  PV_TRY(Currency::parse(out.currency));
  PV_ASSIGN(out.merchant, checked_origin(origin, "merchant_origin"));
  if (strength) {
    const auto parsed = policy::parse_strength(*strength);
    if (!parsed) return fail(Errc::invalid_field, "strength is wire, sealed, wire_attached or dom");
    out.available = *parsed;
  } else {
    PV_ASSIGN(const auto policy, gate::policy_of(app.session, agent));
    PV_ASSIGN(out.available, app.gate.available_for(record, policy, out.merchant));
  }
  PV_ASSIGN(const store::Row row, find_record(app.session, record));
  out.pays = gate::pays(row.id);
  out.record = row.id;
  return out;
}

// What stands before the policy: a request would not come that far.
std::string before_the_policy(Session& session, const store::Row& agent) {
  if (session.frozen()) return "; but the vault is frozen, so every request is refused";
  const std::string status = gate::status_of(session, agent);
  return status == "active" ? "" : "; but this agent is " + status + ", so every request is refused";
}

Json to_json(const policy::Spent& spent) {
  return Json::Object{{"day_minor", spent.day}, {"month_minor", spent.month}, {"uses_hour", spent.uses_hour}};
}

}  // namespace

Status policy_set(Application& app, Call& call) {
  PV_ASSIGN(const Proposal proposal, read_proposal(app.session, call.params));
  PV_TRY(replace_policy(app, proposal, journal::Kind::policy_set));
  call.reply->ok(with_agent(gate::policy_to_json(proposal.after), proposal.agent.id));
  return {};
}

Status policy_narrow(Application& app, Call& call) {
  PV_ASSIGN(const Proposal proposal, read_proposal(app.session, call.params));
  if (const policy::Change* change = policy::first_widening(proposal.changes)) return fail(Errc::policy_widens, change->what);
  // Needs no proof, so what is no change leaves no trace either.
  if (!proposal.before || !proposal.changes.empty()) PV_TRY(replace_policy(app, proposal, journal::Kind::policy_narrowed));
  call.reply->ok(with_agent(gate::policy_to_json(proposal.after), proposal.agent.id));
  return {};
}

Status policy_preview(Application& app, Call& call) {
  PV_ASSIGN(const Proposal proposal, read_proposal(app.session, call.params));
  Json out;
  out.set("agent", proposal.agent.id);
  out.set("changes", gate::to_json(proposal.changes));
  out.set("widens", policy::first_widening(proposal.changes) != nullptr);
  call.reply->ok(std::move(out));
  return {};
}

Status policy_explain(Application& app, Call& call) {
  Session& session = app.session;
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  const Json& question = in.object("request");
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row agent, gate::find_agent(session, name));
  PV_ASSIGN(const policy::UseRequest request, parse_question(app, agent.id, question));
  PV_ASSIGN(const auto policy, gate::policy_of(session, agent.id));
  const policy::Spent spent = session.book().spent(agent.id, request.currency, session.clock().now());
  PV_ASSIGN(const policy::Decision decision, app.gate.decide(agent.id, request, ""));
  const bool denied = decision.verdict == policy::Verdict::deny;
  Json out;
  out.set("reason", denied ? Json(info(decision.reason).word) : Json());
  out.set("rule", policy::to_string(decision.rule));
  out.set("spent", to_json(spent));
  out.set("text", policy::explain(decision, request, policy ? &*policy : nullptr, spent) + before_the_policy(session, agent));
  out.set("verdict", policy::to_string(decision.verdict));
  call.reply->ok(std::move(out));
  return {};
}

Status policy_show(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row agent, gate::find_agent(app.session, name));
  PV_ASSIGN(const auto policy, gate::policy_of(app.session, agent.id));
  if (!policy) return fail(Errc::not_found, "this agent has no policy");
  call.reply->ok(with_agent(gate::policy_to_json(*policy), agent.id));
  return {};
}

Status policy_unset(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row agent, gate::find_agent(app.session, name));
  PV_ASSIGN(auto row, app.session.store().get(store::Table::policies, agent.id));
  if (!row) return fail(Errc::not_found, "this agent has no policy");
  app.injections.stop_waiting(agent.id);
  row->body.set("deleted", true);
  PV_ASSIGN(auto tx, app.session.begin());
  PV_TRY(tx.put(store::Table::policies, *row));
  Json body;
  body.set("agent", agent.id);
  PV_TRY(tx.journal(journal::Kind::policy_unset, std::move(body)));
  PV_TRY(app.session.commit(tx));
  Json out;
  out.set("agent", agent.id);
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
