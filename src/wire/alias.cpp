#include "wire/alias.hpp"

#include <array>
#include <string>

namespace popvault::wire {
namespace {

struct Range {
  std::string_view brand;
  std::array<std::string_view, 2> prefixes;  // six digits each
};
// Leading digits of the test numbers that processors publish (docs/RECIPES.md says which).
constexpr Range kRanges[] = {
    {"visa", {"424242", "400000"}},     {"mastercard", {"555555", "222300"}}, {"amex", {"378282", "371449"}},
    {"discover", {"601111", "601100"}}, {"diners", {"305693", "362272"}},     {"jcb", {"356600", "353011"}},
    {"unionpay", {"620000", "620500"}}, {"maestro", {"675964", "677179"}},
};
constexpr std::array<std::string_view, 2> kNoBrand = {"999900", "999901"};  // of no network
constexpr int kYearsAhead = 4;
// Below ten, so that a page which drops the zero and one which keeps it can be told apart.
constexpr std::string_view kMonth = "05";

std::uint8_t random_byte(const RandomBytes& random) {
  std::uint8_t byte = 0;
  random({&byte, 1});
  return byte;
}

char random_digit(const RandomBytes& random) {
  while (true) {
    const std::uint8_t byte = random_byte(random);
    if (byte < 250) return static_cast<char>('0' + byte % 10);
  }
}

char check_digit(std::string_view payload) {
  int sum = 0;
  bool twice = true;
  for (auto at = payload.rbegin(); at != payload.rend(); ++at, twice = !twice) {
    const int digit = (*at - '0') * (twice ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return static_cast<char>('0' + (10 - sum % 10) % 10);
}

}  // namespace

Result<injector::Aliases> aliases_for(std::string_view brand, std::size_t length, std::size_t cvc_length, int year,
                                      const RandomBytes& random) {
  if (length < 12 || length > 19) return fail(Errc::invalid_field, "number");
  if (cvc_length != 0 && cvc_length != 3 && cvc_length != 4) return fail(Errc::invalid_field, "cvv");
  if (year < 2000 || year > 2099 - kYearsAhead) return fail(Errc::invalid_field, "year");
  const auto* prefixes = &kNoBrand;
  for (const Range& range : kRanges)
    if (range.brand == brand) prefixes = &range.prefixes;

  injector::Aliases out;
  out.number = (*prefixes)[random_byte(random) & 1];
  while (out.number.size() + 1 < length) out.number.push_back(random_digit(random));
  out.number.push_back(check_digit(out.number));
  out.exp_month = kMonth;
  out.exp_year = std::to_string(year + kYearsAhead);
  while (out.cvc.size() < cvc_length) out.cvc.push_back(random_digit(random));
  return out;
}

}  // namespace popvault::wire
