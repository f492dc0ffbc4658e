// May this agent use this record for this amount at this merchant? A pure function.
//
// No I/O, no clock, no JSON: everything that counts is an argument. Deny is the zero value of every answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace popvault::policy {

// How a value is placed, from the weakest to the strongest (docs/ARCHITECTURE.md, "Strengths").
enum class Strength : std::uint8_t { dom = 0, wire_attached = 1, sealed = 2, wire = 3 };
std::string_view to_string(Strength strength) noexcept;
std::optional<Strength> parse_strength(std::string_view word) noexcept;

struct Merchant {
  std::string origin;                   // exact
  std::vector<std::string> processors;  // whose frames inside this merchant's page may get card fields
  std::vector<std::string> accounts{};  // merchant accounts that a page's request may pay (wire)
  std::string price_selector{};         // CSS: where its page shows the price; empty: nowhere
  bool operator==(const Merchant&) const = default;
};

enum class Unlisted : std::uint8_t { deny = 0, ask = 1 };

struct Policy {
  std::vector<Merchant> merchants;
  std::vector<std::string> records;        // ids; "*" is every card (ids that begin with crd_)
  std::string currency;                    // ISO 4217
  std::int64_t per_use = 0;                // minor units; 0 allows nothing
  std::int64_t per_day = 0;                // rolling 24 h, held and spent together
  std::int64_t per_month = 0;              // rolling 30 d
  std::int64_t uses_per_hour = 0;          // rolling; 0 allows none
  std::int64_t ask_above = 0;              // an amount above it is asked; 0: always ask
  Strength minimum = Strength::wire;
  Unlisted unlisted = Unlisted::deny;      // ask: a merchant that is not listed is always asked
  std::int64_t drift_bp = 0;               // how far a page's price may be from the approved one, in 1/10 000
  std::int64_t expires_at = 0;             // seconds since 1970; from then on nothing. 0: it does not expire
  bool killed = false;                     // the kill switch: nothing

  const Merchant* find(std::string_view origin) const noexcept;
  bool allows_record(std::string_view id) const noexcept;
};

struct UseRequest {
  std::string record;
  std::string merchant;
  std::string currency;
  std::int64_t amount = 0;        // minor units
  Strength available{};           // what the browser at hand can give
  bool pays = true;               // false: an identity or a login, whose amount is 0
};

// What is held or spent already, in the policy's currency, and how many uses the last hour saw.
struct Spent {
  std::int64_t day = 0;
  std::int64_t month = 0;
  std::int64_t uses_hour = 0;
};

enum class Verdict : std::uint8_t { deny = 0, ask = 1, allow = 2 };
std::string_view to_string(Verdict verdict) noexcept;

// The first rule that decided, in the order in which they are looked at.
enum class Rule : std::uint8_t {
  no_policy, killed, expired, request, record, unlisted_merchant, currency,
  per_use, per_day, per_month, uses_per_hour, strength, ask_above, within
};
std::string_view to_string(Rule rule) noexcept;

struct Decision {
  Verdict verdict = Verdict::deny;
  Errc reason = Errc::denied;     // meaningful for deny only
  Rule rule = Rule::no_policy;
};

// No policy: deny. `now`: seconds since 1970.
Decision decide(const UseRequest& request, const Policy* policy, const Spent& spent, std::int64_t now) noexcept;

}  // namespace popvault::policy
