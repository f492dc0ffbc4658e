// Which of the fields that were found get the record's values. A pure decision, without the browser.
//
// A value goes into exactly one field that is visible and in an allowed frame. A form with number and expiry wins
// over loose fields; a surer match (see tiers in finder/) wins over a weaker one; two that are equally good are
// never guessed between. A form that wants a card's value twice is refused: it would be left half filled.
//
// Of an identity, one section of one form is filled, that of the billing address before others, with what stands in no
// section beside it. A field that the record lacks or the page does not ask for is left out.
//
// Of a login, what the page shows is filled: many ask for the name first and for the password or the code on the next
// page. At least one of name, password and code must be there; Choice::absent tells what of the record was not.
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
  int set = 0;           // boxes of one value have the same number and follow one another by `part`; 0: one box
  int part = 0;
  int section = 0;  // of an identity: finder/identity.js
};

struct Needs {
  bool has_cvc = false;
  bool has_holder = false;
  Kind kind = Kind::card;
  std::uint32_t fields = 0;  // as Job::fields
};
Needs needs_of(const Job& job);

struct Choice {
  std::vector<Candidate> picks;  // of a card: number, expiry, code, holder, in this order
  // Fields of the record that the page has no place for, a card's code among them. It may still be making one.
  std::vector<FieldReport> absent;
};

Step<Choice> choose(std::span<const Candidate> found, Needs needs);

}  // namespace popvault::injector
