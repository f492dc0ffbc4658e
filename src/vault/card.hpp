// The fields of a card: what is accepted, in which form it is kept, and its brand.
//
//   number     12 to 19 digits after spaces and dashes are dropped; Luhn; a length its brand has
//   exp_month  01 to 12; one digit gets a zero
//   exp_year   two digits (20xx) or four (2000 to 2099); kept with four
//   cvv        optional; 3 or 4 digits, 4 for amex and 3 for every other known brand
//   holder     optional; plain UTF-8 text of at most 100 bytes
//
// Digits here are ASCII. White space around a value is dropped. An empty optional value is the same as none.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "secret/fields.hpp"

namespace popvault {

constexpr std::size_t kMaxHolder = 100;

// Checks and rewrites the fields in place. Fails with invalid_field, the field's name in the detail and never
// its value; an unknown field is refused too. What was not reached is then as it was.
Status normalise_card(SecretFields& card);

// "visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay", "maestro", else "card". By the
// leading digits of a number without separators (ISO/IEC 7812 ranges as the networks publish them).
std::string_view card_brand(ByteView number) noexcept;

// The check digit of ISO/IEC 7812-1 annex B; false for anything but digits.
bool luhn_valid(ByteView number) noexcept;

}  // namespace popvault
