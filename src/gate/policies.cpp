#include "gate/policies.hpp"

#include <algorithm>

#include "base/money.hpp"

namespace popvault::gate {
namespace {

constexpr std::int64_t kUsesOf020 = 60;  // 0.2.0 had no limit of uses; the rate limit gave about as many

Result<std::vector<std::string>> texts(const Json& value) {
  std::vector<std::string> out;
  if (value.array() == nullptr) return fail(Errc::state_corrupt, "a policy");
  for (const Json& item : *value.array()) {
    if (item.string() == nullptr) return fail(Errc::state_corrupt, "a policy");
    out.push_back(*item.string());
  }
  return out;
}

Json::Array array_of(const std::vector<std::string>& items) { return {items.begin(), items.end()}; }

// Without the accounts and the selector it is a row as older versions wrote it.
Json json_of(const policy::Merchant& merchant) {
  Json out = Json::Object{{"origin", merchant.origin}, {"processors", array_of(merchant.processors)}};
  if (!merchant.accounts.empty()) out.set("accounts", array_of(merchant.accounts));
  if (!merchant.price_selector.empty()) out.set("price_selector", merchant.price_selector);
  return out;
}

// 0.2.0 kept the amount below which the owner was not asked.
std::int64_t ask_above_of(const Json& body) {
  return body["ask_above_minor"].int_or(std::max<std::int64_t>(0, body["auto_approve_below_minor"].int_or(0) - 1));
}

Json json_of(const policy::Value& value) {
  return std::visit(
      [](const auto& v) {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>)
          return Json();
        else
          return Json(v);
      },
      value);
}

}  // namespace

std::int64_t default_month(std::int64_t per_day) noexcept { return std::min(kMaxMinor, kMonthOfDays * std::min(per_day, kMaxMinor)); }

Result<policy::Policy> policy_from(const Json& body) {
  policy::Policy out;
  const auto strength = policy::parse_strength(body["strength"].text_or(""));
  if (body["merchants"].array() == nullptr || !strength) return fail(Errc::state_corrupt, "a policy");
  for (const Json& item : *body["merchants"].array()) {
    policy::Merchant merchant{item["origin"].text_or(""), {}};
    PV_ASSIGN(merchant.processors, texts(item["processors"]));
    if (const Json* accounts = item.find("accounts")) {
      PV_ASSIGN(merchant.accounts, texts(*accounts));
    }
    merchant.price_selector = item["price_selector"].text_or("");
    out.merchants.push_back(std::move(merchant));
  }
  PV_ASSIGN(out.records, texts(body["records"]));
  out.currency = body["currency"].text_or("");
  out.per_use = body["per_use_minor"].int_or(0);
  out.per_day = body["per_day_minor"].int_or(0);
  out.per_month = body["per_month_minor"].int_or(default_month(out.per_day));
  out.uses_per_hour = body["uses_per_hour"].int_or(kUsesOf020);
  out.ask_above = ask_above_of(body);
  out.minimum = *strength;
  out.unlisted = body["unlisted"].text_or("deny") == "ask" ? policy::Unlisted::ask : policy::Unlisted::deny;
  out.drift_bp = body["drift_bp"].int_or(0);
  out.expires_at = body["expires_at"].int_or(0);
  out.killed = body["killed"].bool_or(false);
  return out;
}

Json policy_to_json(const policy::Policy& policy) {
  Json::Array merchants;
  for (const policy::Merchant& merchant : policy.merchants)
    merchants.push_back(json_of(merchant));
  return Json::Object{{"ask_above_minor", policy.ask_above},
                      {"currency", policy.currency},
                      {"drift_bp", policy.drift_bp},
                      {"expires_at", policy.expires_at == 0 ? Json() : Json(policy.expires_at)},
                      {"killed", policy.killed},
                      {"merchants", std::move(merchants)},
                      {"per_day_minor", policy.per_day},
                      {"per_month_minor", policy.per_month},
                      {"per_use_minor", policy.per_use},
                      {"records", array_of(policy.records)},
                      {"strength", policy::to_string(policy.minimum)},
                      {"unlisted", policy.unlisted == policy::Unlisted::ask ? "ask" : "deny"},
                      {"uses_per_hour", policy.uses_per_hour}};
}

Json to_json(const std::vector<policy::Change>& changes) {
  Json::Array out;
  for (const policy::Change& change : changes)
    out.emplace_back(Json::Object{
        {"from", json_of(change.from)}, {"to", json_of(change.to)}, {"what", change.what}, {"widens", change.widens}});
  return out;
}

Result<std::optional<policy::Policy>> policy_of(Session& session, std::string_view agent) {
  PV_ASSIGN(const auto row, session.store().get(store::Table::policies, agent));
  if (!row) return std::optional<policy::Policy>{};
  PV_ASSIGN(policy::Policy out, policy_from(row->body));
  return std::optional(std::move(out));
}

Status suspend_unverified(Session& session, std::string_view agent) {
  if (session.narrowed("suspend", agent)) return {};
  // The narrowing first: it counts from here on, whatever the disk says.
  const Status narrowed = session.narrow("suspend", agent);
  Json body;
  body.set("agent", agent);
  PV_TRY(session.note(journal::Kind::policy_unverified, std::move(body)));
  return narrowed;
}

}  // namespace popvault::gate
