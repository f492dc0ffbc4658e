#include "policy/decide.hpp"

#include <algorithm>

namespace popvault::policy {
namespace {

constexpr std::string_view kStrengths[] = {"dom", "wire_attached", "sealed", "wire"};

constexpr std::string_view kVerdicts[] = {"deny", "ask", "allow"};

constexpr std::string_view kRules[] = {"no_policy", "killed",  "expired",   "request",       "record",   "unlisted_merchant", "currency",
                                       "per_use",   "per_day", "per_month", "uses_per_hour", "strength", "ask_above",         "within"};
static_assert(std::size(kRules) == static_cast<std::size_t>(Rule::within) + 1);

constexpr Decision deny(Rule rule, Errc reason = Errc::denied) { return {Verdict::deny, reason, rule}; }

// Written so that nothing can overflow for any three numbers with amount > 0: the difference is taken only when
// the limit is the larger one.
constexpr bool over(std::int64_t spent, std::int64_t amount, std::int64_t limit) {
  return amount > limit || spent > limit - amount;
}

}  // namespace

std::string_view to_string(Strength strength) noexcept { return kStrengths[static_cast<std::size_t>(strength)]; }

std::optional<Strength> parse_strength(std::string_view word) noexcept {
  for (std::size_t i = 0; i < std::size(kStrengths); ++i)
    if (kStrengths[i] == word) return static_cast<Strength>(i);
  return std::nullopt;
}

const Merchant* Policy::find(std::string_view origin) const noexcept {
  for (const Merchant& merchant : merchants)
    if (merchant.origin == origin) return &merchant;
  return nullptr;
}

bool Policy::allows_record(std::string_view id) const noexcept {
  return std::any_of(records.begin(), records.end(),
                     [&](const std::string& r) { return r == "*" ? id.starts_with("crd_") : r == id; });
}

std::string_view to_string(Verdict verdict) noexcept { return kVerdicts[static_cast<std::size_t>(verdict)]; }

std::string_view to_string(Rule rule) noexcept { return kRules[static_cast<std::size_t>(rule)]; }

Decision decide(const UseRequest& request, const Policy* policy, const Spent& spent, std::int64_t now) noexcept {
  if (policy == nullptr) return deny(Rule::no_policy);
  if (policy->killed) return deny(Rule::killed);
  if (policy->expires_at != 0 && now >= policy->expires_at) return deny(Rule::expired);
  const bool wrong_amount = request.pays ? request.amount <= 0 : request.amount != 0;
  if (wrong_amount || spent.day < 0 || spent.month < 0 || spent.uses_hour < 0) return deny(Rule::request);
  if (!policy->allows_record(request.record)) return deny(Rule::record);
  const bool listed = policy->find(request.merchant) != nullptr;
  if (!listed && policy->unlisted != Unlisted::ask) return deny(Rule::unlisted_merchant);
  if (request.currency.empty() || request.currency != policy->currency) return deny(Rule::currency);
  if (request.amount > policy->per_use) return deny(Rule::per_use, Errc::limit_exceeded);
  if (over(spent.day, request.amount, policy->per_day)) return deny(Rule::per_day, Errc::limit_exceeded);
  if (over(spent.month, request.amount, policy->per_month)) return deny(Rule::per_month, Errc::limit_exceeded);
  if (spent.uses_hour >= policy->uses_per_hour) return deny(Rule::uses_per_hour, Errc::limit_exceeded);
  if (request.available < policy->minimum) return deny(Rule::strength, Errc::strength_unavailable);
  if (!listed) return {Verdict::ask, Errc::denied, Rule::unlisted_merchant};
  const bool always = policy->ask_above == 0;  // also for what has no amount
  if (always || request.amount > policy->ask_above) return {Verdict::ask, Errc::denied, Rule::ask_above};
  return {Verdict::allow, Errc::denied, Rule::within};
}

}  // namespace popvault::policy
