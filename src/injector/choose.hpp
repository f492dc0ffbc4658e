// Which of the fields that were found get the card's values. A pure decision, without the browser.
//
// A value goes into exactly one field that is visible and in an allowed frame. A form with number and expiry wins
// over loose fields; a surer match (see tiers in finder/) wins over a weaker one; two that are equally good are
// never guessed between. A form that wants a value twice is refused: it would be left half filled.
#pragma once

#include <span>
#include <vector>

#include "injector/failure.hpp"
#include "injector/values.hpp"

namespace popvault::injector {

struct Candidate {
  std::size_t frame = 0;  // of the caller's list
  bool allowed = false;   // the frame may get values
  bool pending = false;   // not known yet whether it may; never both
  std::uint8_t origin = 0xff;
  int index = 0;  // of the frame's own list
  Field field{};
  int tier = 0;  // more is surer
  Why why{};     // ok when it can be typed into
  Shape shape{};
  int group = 0;  // the form, within the frame
  bool required = false;
  bool repeats = false;  // asks for the value of another field of its form once more
};

struct Needs {
  bool has_cvc = false;
  bool has_holder = false;
};

struct Choice {
  std::vector<Candidate> picks;  // number, expiry, code, holder, in this order
  // No field for a code that the record has. The page may still be making it.
  bool without_cvc = false;
};

Step<Choice> choose(std::span<const Candidate> found, Needs needs);

}  // namespace popvault::injector
