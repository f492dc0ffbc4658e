#include "policy/explain.hpp"

#include "base/money.hpp"

namespace popvault::policy {
namespace {

std::string money(std::int64_t minor, const std::string& code) {
  const auto currency = Currency::parse(code);
  return currency ? format_amount(minor, *currency) : std::to_string(minor) + " " + code;
}

// "40.00 USD more would be over 200.00 USD in 24 hours: 180.00 USD are spent or held".
std::string over(const UseRequest& request, std::int64_t limit, const char* window, std::int64_t spent) {
  return money(request.amount, request.currency) + " more would be over " + money(limit, request.currency) + " in " + window +
         ": " + money(spent, request.currency) + " are spent or held";
}

std::string reason(const Decision& decision, const UseRequest& request, const Policy* policy, const Spent& spent) {
  if (policy == nullptr) return "the agent has no policy, so it may do nothing";
  switch (decision.rule) {
    case Rule::no_policy: return "this merchant is not allowed here (plain http needs allow_loopback_http)";
    case Rule::killed: return "the policy's kill switch is on";
    case Rule::expired: return "the policy has expired";
    case Rule::request: return "the amount is not above zero, or what is spent cannot be read";
    case Rule::record: return "the policy does not name the record " + request.record;
    case Rule::unlisted_merchant:
      return request.merchant + " is not one of the policy's merchants" +
             (decision.verdict == Verdict::ask ? ", and those are asked about" : "");
    case Rule::currency: return "the policy is in " + policy->currency + ", not in " + request.currency;
    case Rule::per_use:
      return money(request.amount, request.currency) + " is over " + money(policy->per_use, request.currency) + " for one use";
    case Rule::per_day: return over(request, policy->per_day, "24 hours", spent.day);
    case Rule::per_month: return over(request, policy->per_month, "30 days", spent.month);
    case Rule::uses_per_hour:
      return std::to_string(spent.uses_hour) + " uses in the last hour, and the policy allows " + std::to_string(policy->uses_per_hour);
    case Rule::strength:
      return "the policy asks for " + std::string(to_string(policy->minimum)) + ", and the browser can give " +
             std::string(to_string(request.available));
    case Rule::ask_above:
      return policy->ask_above == 0 ? "the policy asks about every purchase"
                                    : money(request.amount, request.currency) + " is above " +
                                          money(policy->ask_above, request.currency) + ", from where on you are asked";
    case Rule::within: return money(request.amount, request.currency) + " at " + request.merchant + " is within the policy";
  }
  return "";
}

}  // namespace

std::string explain(const Decision& decision, const UseRequest& request, const Policy* policy, const Spent& spent) {
  const char* head = decision.verdict == Verdict::allow ? "allowed without asking: "
                     : decision.verdict == Verdict::ask ? "you are asked: "
                                                        : "denied: ";
  return head + reason(decision, request, policy, spent);
}

}  // namespace popvault::policy
