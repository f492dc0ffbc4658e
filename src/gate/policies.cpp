#include "gate/policies.hpp"

#include <algorithm>

namespace popvault::gate {

Result<std::optional<policy::Policy>> policy_of(Session& session, std::string_view agent) {
  PV_ASSIGN(const auto row, session.store().get(store::Table::policies, agent));
  if (!row) return std::optional<policy::Policy>{};
  const Json& body = row->body;
  policy::Policy out;
  const auto strength = policy::parse_strength(body["strength"].text_or(""));
  if (body["merchants"].array() == nullptr || body["records"].array() == nullptr || !strength)
    return fail(Errc::state_corrupt, "a policy");
  for (const Json& item : *body["merchants"].array()) {
    policy::Merchant merchant{item["origin"].text_or(""), {}};
    if (item["processors"].array() != nullptr)
      for (const Json& processor : *item["processors"].array()) merchant.processors.push_back(processor.text_or(""));
    out.merchants.push_back(std::move(merchant));
  }
  for (const Json& record : *body["records"].array()) out.records.push_back(record.text_or(""));
  out.currency = body["currency"].text_or("");
  out.per_use = body["per_use_minor"].int_or(0);
  out.per_day = body["per_day_minor"].int_or(0);
  // 0.2.0 kept the amount below which the owner was not asked.
  out.ask_above = body["ask_above_minor"].int_or(std::max<std::int64_t>(0, body["auto_approve_below_minor"].int_or(0) - 1));
  out.per_month = body["per_month_minor"].int_or(30 * out.per_day);
  out.uses_per_hour = body["uses_per_hour"].int_or(60);
  out.minimum = *strength;
  return std::optional(std::move(out));
}

}  // namespace popvault::gate
