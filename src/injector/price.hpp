// The price that the page shows, beside the one that was approved.
//
// The text of the element that the owner's selector names is read in the merchant's own document: what a person can
// see of it. It must hold one amount and nothing else with digits. Several elements that show the same text are one.
#pragma once

#include <optional>
#include <string_view>

#include "injector/page.hpp"

namespace popvault::injector {

constexpr std::size_t kMaxPriceText = 256;  // bytes

// The amount in minor units. Point or comma before exactly `exponent` digits is the decimal mark; point, comma, space or
// apostrophe before groups of three (of two before the last three, as in India) part the digits. None for a text without
// an amount, with two, or with one that can be read in two ways.
std::optional<std::int64_t> parse_amount(std::string_view text, unsigned exponent);

// Whether `shown` is no further from the approved amount than the drift allows, either way.
bool within_drift(std::int64_t shown, const Price& price);

// Fails with price_mismatch, also when there is no such element or no amount in it. Does nothing without a selector.
// To be called when the page was looked at, before Ready.
Step<void> check_price(Page& page, const Job& job);

}  // namespace popvault::injector
