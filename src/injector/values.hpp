// The record's values in the forms that fields want. All text lives in secret memory.
#pragma once

#include <cstdint>
#include <optional>

#include "rpc/injector_protocol.hpp"
#include "secret/bundle.hpp"

namespace popvault::injector {

// How one field wants its value; the bits that finder/formats.js gives.
struct Shape {
  std::uint32_t bits = 0;
  std::uint8_t separator() const noexcept { return static_cast<std::uint8_t>(bits & 7); }  // 0 none, 1 "/", 2 " / ", 3 "-", 4 " ", 5 "."
  bool long_year() const noexcept { return (bits & 8) != 0; }
  bool year_first() const noexcept { return (bits & 16) != 0; }
  bool given_name() const noexcept { return (bits & 64) != 0; }
  bool family_name() const noexcept { return (bits & 128) != 0; }
  bool grouped() const noexcept { return (bits & 32) != 0; }
  // One box of several: which characters it takes.
  bool is_box() const noexcept { return (bits >> 8) != 0; }
  std::size_t offset() const noexcept { return bits >> 8 & 31; }
  std::size_t count() const noexcept { return bits >> 13 & 31; }
  bool last() const noexcept { return (bits >> 18 & 1) != 0; }
  // Of an identity's phone: without the prefix, the prefix alone, and without what a number in the country begins with.
  bool national() const noexcept { return (bits & 1) != 0; }
  bool prefix() const noexcept { return (bits & 2) != 0; }
  bool beside_prefix() const noexcept { return (bits & 4) != 0; }
  // Of an address: both lines, in one line or in two.
  bool joined() const noexcept { return (bits & 1) != 0; }
  bool two_lines() const noexcept { return (bits & 4) != 0; }
};

// Of such a field the text has several forms.
constexpr bool has_forms(Field field) {
  return field >= Field::name && field <= Field::country && field != Field::address;
}

// Of a card, an identity or a login. Where a field of an identity may want one of several forms, such as the code or the
// name of a country, the text has one on each line, the likeliest first, and the finder takes what fits.
class Values {
 public:
  // Takes the bundle over. Fails when a field that the Job names is absent or of another form: what a card has is told
  // below; a field of an identity has 1 to 200 bytes without control characters, of a login 1 to 1024 bytes, a code 4
  // to 10 digits.
  static std::optional<Values> create(Bundle bundle, const Job& job);

  // Takes the bundle over. Fails when a field is absent or of another form: number 12 to 19 digits, exp_month two
  // digits (01 to 12), exp_year four, cvv three or four when `has_cvc`, holder when `has_holder`.
  static std::optional<Values> create(Bundle bundle, bool has_cvc, bool has_holder);

  // What is typed into a field.
  SecretBytes text(Field field, Shape shape) const;
  // What the finder compares with: digits, the name, MMYYYY, or the text itself.
  SecretBytes expected(Field field, Shape shape) const;

 private:
  explicit Values(Bundle bundle) : bundle_(std::move(bundle)) {}
  ByteView part(std::string_view name) const;
  SecretBytes name(Field field) const;
  SecretBytes phone(Shape shape) const;
  SecretBytes place(Field field, Shape shape) const;
  Bundle bundle_;
};
using CardValues = Values;

}  // namespace popvault::injector
