#include "injector/values.hpp"

#include <algorithm>
#include <cstring>

namespace popvault::injector {
namespace {

bool all_digits(const std::optional<ByteView>& text, std::size_t low, std::size_t high) {
  return text && text->size() >= low && text->size() <= high &&
         std::all_of(text->begin(), text->end(), [](std::uint8_t c) { return c >= '0' && c <= '9'; });
}

bool is_month(ByteView text) {
  return (text[0] == '0' && text[1] >= '1') || (text[0] == '1' && text[1] <= '2');
}

// Parts one after the other, in one block of secret memory.
class Joined {
 public:
  Joined& add(ByteView part) {
    if (part.empty()) return *this;
    std::memcpy(block_.reveal(SecretAccess{}).data() + size_, part.data(), part.size());
    size_ += part.size();
    return *this;
  }
  SecretBytes take() {
    block_.shrink(size_);
    return std::move(block_);
  }

 private:
  SecretBytes block_ = SecretBytes::zeros(64);
  std::size_t size_ = 0;
};

ByteView separator_of(Shape shape) {
  static constexpr std::string_view kSeparators[] = {"", "/", " / ", "-", " ", "."};
  return shape.separator() < std::size(kSeparators) ? as_bytes(kSeparators[shape.separator()]) : ByteView{};
}

// The last word is the family name; a single word is both.
ByteView name_part(ByteView name, Shape shape) {
  const std::size_t space = as_text(name).rfind(' ');
  if (space == std::string_view::npos) return name;
  if (shape.given_name()) return name.first(space);
  return shape.family_name() ? name.subspan(space + 1) : name;
}

SecretBytes in_groups(ByteView digits) {
  Joined out;
  for (std::size_t i = 0; i < digits.size(); i += 4) {
    if (i > 0) out.add(as_bytes(" "));
    out.add(digits.subspan(i, std::min<std::size_t>(4, digits.size() - i)));
  }
  return out.take();
}

}  // namespace

std::optional<CardValues> CardValues::create(Bundle bundle, bool has_cvc, bool has_holder) {
  const auto get = [&](std::string_view name) { return bundle.find(name, SecretAccess{}); };
  if (!all_digits(get("number"), 12, 19) || !all_digits(get("exp_month"), 2, 2) ||
      !is_month(*get("exp_month")) || !all_digits(get("exp_year"), 4, 4))
    return std::nullopt;
  if (has_cvc && !all_digits(get("cvv"), 3, 4)) return std::nullopt;
  if (has_holder && (!get("holder") || get("holder")->empty() || get("holder")->size() > 200))
    return std::nullopt;
  return CardValues(std::move(bundle));
}

ByteView CardValues::part(std::string_view name) const {
  return bundle_.find(name, SecretAccess{}).value_or(ByteView{});
}

SecretBytes CardValues::text(Field field, Shape shape) const {
  const ByteView month = part("exp_month");
  const ByteView year = part("exp_year");
  const ByteView shaped_year = shape.long_year() ? year : year.last(2);
  switch (field) {
    case Field::number:
      return shape.grouped() ? in_groups(part("number")) : SecretBytes::copy_of(part("number"));
    case Field::cvc: return SecretBytes::copy_of(part("cvv"));
    case Field::holder: return SecretBytes::copy_of(name_part(part("holder"), shape));
    case Field::exp_month: return SecretBytes::copy_of(month);
    case Field::exp_year: return SecretBytes::copy_of(shaped_year);
    case Field::exp: break;
    default: return {};
  }
  const ByteView first = shape.year_first() ? shaped_year : month;
  const ByteView second = shape.year_first() ? month : shaped_year;
  return Joined().add(first).add(separator_of(shape)).add(second).take();
}

SecretBytes CardValues::expected(Field field, Shape shape) const {
  const bool date = field == Field::exp || field == Field::exp_month || field == Field::exp_year;
  if (!date) return text(field, field == Field::holder ? shape : Shape{});
  return Joined().add(part("exp_month")).add(part("exp_year")).take();
}

}  // namespace popvault::injector
