// What ends or frees a purchase besides its use: cancel, and the owner's answers.

#include "ledger/purchases.hpp"

#include "gate/gate.hpp"
#include "session/purchase_ends.hpp"
#include "session/records.hpp"

namespace popvault::gate {

// Limits and lists are the owner's to overrule for once; what stops everything is not.
bool may_force(policy::Rule rule) noexcept {
  using policy::Rule;
  return rule == Rule::unlisted_merchant || rule == Rule::currency || rule == Rule::per_use || rule == Rule::per_day ||
         rule == Rule::per_month || rule == Rule::uses_per_hour;
}

namespace {

Result<store::Row> find_purchase(Session& session, std::string_view id) {
  PV_ASSIGN(auto row, session.store().get(store::Table::purchases, id));
  if (!row) return fail(Errc::not_found, "purchase");
  return std::move(*row);
}

// Denied at the request, for a reason that the owner may overrule.
bool denied_by_policy(const store::Row& purchase) {
  if (purchase.body["status"].text_or("") != "denied" || purchase.body["denied_by_owner"].bool_or(false)) return false;
  const std::string word = purchase.body["rule"].text_or("");
  for (auto rule = policy::Rule::no_policy; rule <= policy::Rule::within; rule = static_cast<policy::Rule>(static_cast<int>(rule) + 1))
    if (word == policy::to_string(rule)) return may_force(rule);
  return false;
}

Result<store::Row> moved(Session& session, store::Row row, std::string_view status, journal::Kind kind) {
  PV_TRY(move_purchase(session, row, status, kind));
  return row;
}

}  // namespace

Result<store::Row> Gate::cancel(const Caller& caller, std::string_view id) {
  PV_ASSIGN(store::Row row, own_purchase(caller, id));
  return moved(*session_, std::move(row), "canceled", journal::Kind::purchase_canceled);
}

// The first rule that denies hides those behind it: a strength is not overruled with a limit.
Status Gate::check_forced(const std::string& agent, policy::Strength available, const policy::Decision& decision) {
  if (decision.verdict != policy::Verdict::deny) return {};
  if (!may_force(decision.rule)) return fail(decision.reason);
  PV_ASSIGN(const auto policy, policy_for(agent));
  if (!policy || available < policy->minimum) return fail(Errc::strength_unavailable);
  return {};
}

Result<store::Row> Gate::approve(std::string_view id, bool force) {
  if (session_->frozen()) return fail(Errc::frozen);
  if (session_->narrowed("deny", id)) return fail(Errc::denied);
  PV_ASSIGN(store::Row row, find_purchase(*session_, id));
  if (const auto record = find_kept_record(*session_, row.body["record"].text_or("")); record && edited_since(row, *record))
    return fail(Errc::denied, "the record was edited after this was asked for");
  const Seconds now = session_->clock().now();
  const bool overruled = denied_by_policy(row);
  if (force && !overruled) return fail(Errc::wrong_status, "only what the policy denied can be forced");
  if (!force && overruled) return fail(Errc::denied, "the policy denied it; --force approves it all the same");
  // By the owner, or for a reason that nobody overrules.
  if (!force && row.body["status"].text_or("") == "denied") return fail(Errc::denied, "it was denied for good; the agent may ask anew");
  const bool answerable = overruled || row.body["status"].text_or("") == "awaiting_approval";
  if (answerable && row.body["expires_at"].int_or(0) <= now) return fail(Errc::purchase_expired);
  if (force) {
    PV_ASSIGN(const policy::UseRequest request, use_request(row));
    PV_ASSIGN(const policy::Decision decision, decide(row.body["agent"].text_or(""), request, ""));
    PV_TRY(check_forced(row.body["agent"].text_or(""), request.available, decision));
    row.body.set("forced", true);
    row.body.set("reason", nullptr);
  }
  row.body.set("approved_by", "owner");
  row.body.set("expires_at", now + ledger::kApprovalValid);
  return moved(*session_, std::move(row), "approved", force ? journal::Kind::purchase_forced : journal::Kind::purchase_approved);
}

Result<store::Row> Gate::deny(std::string_view id) {
  PV_ASSIGN(store::Row row, find_purchase(*session_, id));
  row.body.set("reason", "denied");
  row.body.set("denied_by_owner", true);
  return moved(*session_, std::move(row), "denied", journal::Kind::purchase_denied);
}

Result<store::Row> Gate::settle_by_owner(std::string_view id, std::string_view status) {
  PV_ASSIGN(store::Row row, find_purchase(*session_, id));
  return moved(*session_, std::move(row), status,
               status == "settled" ? journal::Kind::purchase_settled : journal::Kind::purchase_released);
}

Status Gate::adjust(std::string_view agent, std::string_view currency, std::int64_t amount, std::string_view reason) {
  PV_ASSIGN(auto tx, session_->begin());
  PV_TRY(session_->book().adjust(tx, agent, currency, amount, reason));
  Json body;
  body.set("agent", agent);
  body.set("amount_minor", amount);
  body.set("currency", currency);
  PV_TRY(tx.journal(journal::Kind::ledger_adjusted, std::move(body)));
  return session_->commit(tx);
}

}  // namespace popvault::gate
