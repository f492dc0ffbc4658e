// The card's values in the forms that fields want. All text lives in secret memory.
#pragma once

#include <cstdint>
#include <optional>

#include "rpc/injector_protocol.hpp"
#include "secret/bundle.hpp"

namespace popvault::injector {

// How one field wants its value; the bits that finder/formats.js gives.
struct Shape {
  std::uint8_t bits = 0;
  std::uint8_t separator() const noexcept { return bits & 7; }  // 0 none, 1 "/", 2 " / ", 3 "-", 4 " ", 5 "."
  bool long_year() const noexcept { return (bits & 8) != 0; }
  bool year_first() const noexcept { return (bits & 16) != 0; }
  bool given_name() const noexcept { return (bits & 64) != 0; }
  bool family_name() const noexcept { return (bits & 128) != 0; }
  bool grouped() const noexcept { return (bits & 32) != 0; }
};

class CardValues {
 public:
  // Takes the bundle over. Fails when a field is absent or of another form: number 12 to 19 digits, exp_month two
  // digits (01 to 12), exp_year four, cvv three or four when `has_cvc`, holder when `has_holder`.
  static std::optional<CardValues> create(Bundle bundle, bool has_cvc, bool has_holder);

  // What is typed into a field.
  SecretBytes text(Field field, Shape shape) const;
  // What the finder compares with: digits, the name, or MMYYYY.
  SecretBytes expected(Field field, Shape shape) const;

 private:
  explicit CardValues(Bundle bundle) : bundle_(std::move(bundle)) {}
  ByteView part(std::string_view name) const;
  Bundle bundle_;
};

}  // namespace popvault::injector
