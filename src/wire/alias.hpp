// What stands in the page instead of a card's values (wire, wire_attached).
//
// A number of the same brand and length, valid by Luhn, from ranges that processors' own documents give for tests
// (docs/RECIPES.md), with random inner digits so that each purchase has its own. Made from brand and lengths alone: the
// card's own digits are not needed.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "rpc/injector_protocol.hpp"

namespace popvault::wire {

using RandomBytes = std::function<void(std::span<std::uint8_t>)>;

// `brand` as card_brand() names it; `length` of the number, 12 to 19; `cvc_length` 0, 3 or 4; `year` the present one.
// Fails with invalid_field on other lengths.
Result<injector::Aliases> aliases_for(std::string_view brand, std::size_t length, std::size_t cvc_length, int year,
                                      const RandomBytes& random);

}  // namespace popvault::wire
