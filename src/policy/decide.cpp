#include "policy/decide.hpp"

#include <algorithm>

namespace popvault::policy {
namespace {

constexpr std::string_view kStrengths[] = {"dom", "wire_attached", "sealed", "wire"};

constexpr Decision deny(Errc reason) { return {Verdict::deny, reason}; }

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

Decision decide(const UseRequest& request, const Policy* policy, std::int64_t spent_day) noexcept {
  if (policy == nullptr) return deny(Errc::denied);
  if (request.amount <= 0 || spent_day < 0) return deny(Errc::denied);
  if (!policy->allows_record(request.record)) return deny(Errc::denied);
  if (policy->find(request.merchant) == nullptr) return deny(Errc::denied);
  if (request.currency.empty() || request.currency != policy->currency) return deny(Errc::denied);
  if (request.amount > policy->per_use) return deny(Errc::limit_exceeded);
  // Written so that nothing can overflow: per_day - amount is at least -kMaxMinor.
  if (spent_day > policy->per_day - request.amount) return deny(Errc::limit_exceeded);
  if (request.available < policy->minimum) return deny(Errc::strength_unavailable);
  return {request.amount < policy->auto_approve_below ? Verdict::allow : Verdict::ask, Errc::denied};
}

}  // namespace popvault::policy
