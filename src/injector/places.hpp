// Countries, the states of two of them, and telephone prefixes: what the same thing is called elsewhere.
#pragma once

#include <cstddef>
#include <string_view>

namespace popvault::injector {

struct Country {
  std::string_view alpha2, alpha3, name, other;  // in English; `other` may be empty
  int calling_code = 0;                          // 0: none
};

struct State {
  std::string_view country, code, name;
};

// By code or name, without regard to the case of ASCII letters; null for none.
const Country* country_of(std::string_view text) noexcept;
// Of the United States and Canada. An empty country: of either.
const State* state_of(std::string_view country, std::string_view text) noexcept;

// How many of the digits of an international number are the country's; 0 when they are too few.
std::size_t calling_code_length(std::string_view digits) noexcept;
// Whether numbers inside the country begin with a 0 that is left out behind the prefix.
bool has_trunk_zero(int calling_code) noexcept;

}  // namespace popvault::injector
