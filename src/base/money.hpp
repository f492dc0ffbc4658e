// Money: integer minor units with an ISO 4217 code. No floating point anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace popvault {

// The largest amount that is accepted anywhere, in minor units: sums of many stay far inside 64 bits.
constexpr std::int64_t kMaxMinor = 1'000'000'000'000;

class Currency {
 public:
  // A code of ISO 4217's active list ("USD"). Fails with invalid_field.
  static Result<Currency> parse(std::string_view code);
  const std::string& code() const noexcept { return code_; }
  int exponent() const noexcept { return exponent_; }  // digits after the point: 2, 0 (JPY), 3 (KWD) or 4 (CLF)
  bool operator==(const Currency&) const = default;

 private:
  std::string code_;
  int exponent_ = 2;
};

// "50", "50.5" and "50.00" are 5000 in USD; more digits than the currency has, a sign, a group separator or
// more than kMaxMinor is invalid_field.
Result<std::int64_t> parse_amount(std::string_view decimal, const Currency& currency);
// "50.00 USD".
std::string format_amount(std::int64_t minor, const Currency& currency);

}  // namespace popvault
