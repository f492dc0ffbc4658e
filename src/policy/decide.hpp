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
  bool operator==(const Merchant&) const = default;
};

struct Policy {
  std::vector<Merchant> merchants;
  std::vector<std::string> records;        // ids; "*" is every card (ids that begin with crd_)
  std::string currency;                    // ISO 4217
  std::int64_t per_use = 0;                // minor units; 0 allows nothing
  std::int64_t per_day = 0;                // rolling 24 h, held and spent together
  std::int64_t auto_approve_below = 0;     // under this amount the owner is not asked; 0: always ask
  Strength minimum = Strength::wire;

  const Merchant* find(std::string_view origin) const noexcept;
  bool allows_record(std::string_view id) const noexcept;
};

struct UseRequest {
  std::string record;
  std::string merchant;
  std::string currency;
  std::int64_t amount = 0;        // minor units
  Strength available{};           // what the enrolled browser can give
};

enum class Verdict : std::uint8_t { deny = 0, ask = 1, allow = 2 };

struct Decision {
  Verdict verdict = Verdict::deny;
  Errc reason = Errc::denied;     // meaningful for deny only
};

// `spent_day`: what is held or spent in the last 24 hours, in the policy's currency. No policy: deny.
Decision decide(const UseRequest& request, const Policy* policy, std::int64_t spent_day) noexcept;

}  // namespace popvault::policy
