#include "policy/difference.hpp"

#include <algorithm>

namespace popvault::policy {
namespace {

class Comparison {
 public:
  Comparison(const Policy& before, const Policy& after) : before_(before), after_(after) {}

  void limits() {
    larger("per_use_minor", before_.per_use, after_.per_use);
    larger("per_day_minor", before_.per_day, after_.per_day);
    larger("per_month_minor", before_.per_month, after_.per_month);
    larger("uses_per_hour", before_.uses_per_hour, after_.uses_per_hour);
    larger("ask_above_minor", before_.ask_above, after_.ask_above);
    larger("drift_bp", before_.drift_bp, after_.drift_bp);
  }

  void merchants() {
    for (const Merchant& old : before_.merchants) {
      const Merchant* now = after_.find(old.origin);
      if (now == nullptr)
        note("merchant " + old.origin, true, false, false);
      else
        inside(old, *now);
    }
    for (const Merchant& now : after_.merchants) {
      if (before_.find(now.origin) != nullptr) continue;
      note("merchant " + now.origin, false, true, true);
      inside(Merchant{now.origin, {}}, now);
    }
  }

  void records() {
    const auto has = [](const Policy& policy, const std::string& id) {
      return std::find(policy.records.begin(), policy.records.end(), id) != policy.records.end();
    };
    for (const std::string& id : before_.records)
      if (!has(after_, id)) note("record " + id, true, false, false);
    for (const std::string& id : after_.records)
      if (!has(before_, id)) note("record " + id, false, true, id == "*" || !before_.allows_record(id));
  }

  void rest(bool currency_counts) {
    if (before_.currency != after_.currency) note("currency", before_.currency, after_.currency, currency_counts);
    if (before_.minimum != after_.minimum)
      note("strength", std::string(to_string(before_.minimum)), std::string(to_string(after_.minimum)), after_.minimum < before_.minimum);
    if (before_.unlisted != after_.unlisted)
      note("unlisted", word(before_.unlisted), word(after_.unlisted), after_.unlisted == Unlisted::ask);
    if (before_.expires_at != after_.expires_at)
      note("expires_at", time(before_.expires_at), time(after_.expires_at),
           after_.expires_at == 0 || (before_.expires_at != 0 && after_.expires_at > before_.expires_at));
    if (before_.killed != after_.killed) note("killed", before_.killed, after_.killed, before_.killed);
  }

  std::vector<Change> take() { return std::move(changes_); }

 private:
  static std::string word(Unlisted unlisted) { return unlisted == Unlisted::ask ? "ask" : "deny"; }
  static Value time(std::int64_t at) { return at == 0 ? Value{} : Value{at}; }

  void note(std::string what, Value from, Value to, bool widens) {
    changes_.push_back({std::move(what), std::move(from), std::move(to), widens});
  }
  void larger(const char* what, std::int64_t from, std::int64_t to) {
    if (from != to) note(what, from, to, to > from);
  }
  static Value text(const std::string& value) { return value.empty() ? Value{} : Value{value}; }

  // Of one merchant.
  void inside(const Merchant& old, const Merchant& now) {
    listed("processor ", now.origin, old.processors, now.processors);
    listed("account ", now.origin, old.accounts, now.accounts);
    if (old.price_selector != now.price_selector)
      note("price_selector at " + now.origin, text(old.price_selector), text(now.price_selector), true);
  }
  void listed(const char* what, const std::string& merchant, const std::vector<std::string>& old, const std::vector<std::string>& now) {
    const auto has = [](const std::vector<std::string>& list, const std::string& one) {
      return std::find(list.begin(), list.end(), one) != list.end();
    };
    for (const std::string& one : old)
      if (!has(now, one)) note(what + one + " at " + merchant, true, false, false);
    for (const std::string& one : now)
      if (!has(old, one)) note(what + one + " at " + merchant, false, true, true);
  }

  const Policy& before_;
  const Policy& after_;
  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> differences(const Policy* before, const Policy& after) {
  const Policy nothing;
  Comparison comparison(before != nullptr ? *before : nothing, after);
  comparison.merchants();
  comparison.records();
  comparison.rest(before != nullptr);
  comparison.limits();
  return comparison.take();
}

const Change* first_widening(const std::vector<Change>& changes) noexcept {
  const auto found = std::find_if(changes.begin(), changes.end(), [](const Change& change) { return change.widens; });
  return found == changes.end() ? nullptr : &*found;
}

}  // namespace popvault::policy
