#include "injector/values.hpp"

#include <algorithm>
#include <cstring>

#include "injector/places.hpp"

namespace popvault::injector {
namespace {

bool all_digits(const std::optional<ByteView>& text, std::size_t low, std::size_t high) {
  return text && text->size() >= low && text->size() <= high &&
         std::all_of(text->begin(), text->end(), [](std::uint8_t c) { return c >= '0' && c <= '9'; });
}

bool is_month(ByteView text) {
  return (text[0] == '0' && text[1] >= '1') || (text[0] == '1' && text[1] <= '2');
}

// Parts one after the other, in one block of secret memory. What does not fit any more is left out.
class Joined {
 public:
  explicit Joined(std::size_t most = 64) : block_(SecretBytes::zeros(most)) {}
  Joined& add(ByteView part) {
    if (part.empty() || part.size() > block_.size() - size_) return *this;
    std::memcpy(block_.reveal(SecretAccess{}).data() + size_, part.data(), part.size());
    size_ += part.size();
    return *this;
  }
  Joined& add(std::string_view part) { return add(as_bytes(part)); }
  // A further form of the value, on a line of its own.
  Joined& form(ByteView part) {
    if (part.empty() || part.size() >= block_.size() - size_) return *this;
    return add(size_ == 0 ? "" : "\n").add(part);
  }
  Joined& form(std::string_view part) { return form(as_bytes(part)); }
  ByteView so_far() const { return block_.reveal(SecretAccess{}).first(size_); }
  SecretBytes take() {
    block_.shrink(size_);
    return std::move(block_);
  }

 private:
  SecretBytes block_;
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

constexpr std::size_t kForms = 1200;

SecretBytes digits_of(ByteView text) {
  SecretBytes out = SecretBytes::zeros(std::max<std::size_t>(text.size(), 1));
  std::size_t size = 0;
  for (const std::uint8_t c : text)
    if (c >= '0' && c <= '9') out.reveal(SecretAccess{})[size++] = c;
  out.shrink(size);
  return out;
}

// What one box of several gets.
SecretBytes box_of(ByteView text, Shape shape) {
  const ByteView rest = text.subspan(std::min(shape.offset(), text.size()));
  return SecretBytes::copy_of(shape.last() ? rest : rest.first(std::min(shape.count(), rest.size())));
}

struct Named {
  Field field;
  std::string_view name;
};
// Names of the bundle.
constexpr Named kNames[] = {{Field::name, "name"},         {Field::given_name, "given_name"},
                            {Field::family_name, "family_name"}, {Field::email, "email"},
                            {Field::phone, "phone"},       {Field::address, "address"},
                            {Field::address2, "address2"}, {Field::city, "city"},
                            {Field::state, "state"},       {Field::postal_code, "postal_code"},
                            {Field::country, "country"},   {Field::username, "username"},
                            {Field::password, "password"}, {Field::totp, "totp"}};

std::string_view name_of(Field field) {
  for (const Named& one : kNames)
    if (one.field == field) return one.name;
  return {};
}

bool is_plain(ByteView text) {
  return std::none_of(text.begin(), text.end(), [](std::uint8_t c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

std::optional<Values> Values::create(Bundle bundle, bool has_cvc, bool has_holder) {
  const auto get = [&](std::string_view name) { return bundle.find(name, SecretAccess{}); };
  if (!all_digits(get("number"), 12, 19) || !all_digits(get("exp_month"), 2, 2) ||
      !is_month(*get("exp_month")) || !all_digits(get("exp_year"), 4, 4))
    return std::nullopt;
  if (has_cvc && !all_digits(get("cvv"), 3, 4)) return std::nullopt;
  if (has_holder && (!get("holder") || get("holder")->empty() || get("holder")->size() > 200))
    return std::nullopt;
  return Values(std::move(bundle));
}

std::optional<Values> Values::create(Bundle bundle, const Job& job) {
  if (job.kind == Kind::card) return create(std::move(bundle), job.has_cvc, job.has_holder);
  const std::size_t most = job.kind == Kind::login ? 1024 : 200;
  for (const auto& [field, name] : kNames) {
    if ((job.fields & 1U << static_cast<unsigned>(field)) == 0) continue;
    const auto value = bundle.find(name, SecretAccess{});
    if (!value || value->empty() || value->size() > most) return std::nullopt;
    if (field == Field::totp ? !all_digits(value, 4, 10) : job.kind == Kind::identity && !is_plain(*value))
      return std::nullopt;
  }
  return Values(std::move(bundle));
}

ByteView Values::part(std::string_view name) const {
  return bundle_.find(name, SecretAccess{}).value_or(ByteView{});
}

// The name, or half of it; each out of the other where the record has only that.
SecretBytes Values::name(Field field) const {
  const ByteView whole = part("name"), given = part("given_name"), family = part("family_name");
  if (field == Field::name) {
    if (!whole.empty()) return SecretBytes::copy_of(whole);
    return Joined(kForms).add(given).add(" ").add(family).take();
  }
  const bool first = field == Field::given_name;
  const ByteView own = first ? given : family;
  return SecretBytes::copy_of(own.empty() ? name_part(whole, Shape{first ? 64U : 128U}) : own);
}

// "+49 30 123456" as kept, then in the forms that a field may take instead.
SecretBytes Values::phone(Shape shape) const {
  const ByteView kept = part("phone");
  SecretBytes plain = digits_of(kept);
  ByteView digits = plain.reveal(SecretAccess{});
  bool abroad = !kept.empty() && kept.front() == '+';
  if (!abroad && digits.size() > 2 && digits[0] == '0' && digits[1] == '0') {
    digits = digits.subspan(2);
    abroad = true;
  }
  const Country* const country = country_of(as_text(part("country")));
  const std::size_t size = abroad ? calling_code_length(as_text(digits)) : 0;
  int code = 0;
  for (const std::uint8_t c : digits.first(size)) code = code * 10 + (c - '0');
  if (size == 0 && country != nullptr) code = country->calling_code;
  const std::string prefix = code == 0 ? "" : std::to_string(code);
  // The number in its country, without what it begins with there.
  ByteView core = digits.subspan(size);
  if (size == 0 && has_trunk_zero(code) && core.size() > 1 && core.front() == '0') core = core.subspan(1);
  const std::string_view trunk = has_trunk_zero(code) ? "0" : "";

  Joined out(kForms);
  if (shape.prefix()) {
    if (!prefix.empty()) out.add("+").add(prefix).form(prefix).form("00").add(prefix);
    // One code is of several countries: the record's own says which.
    if (country != nullptr && country->calling_code == code) out.form(country->alpha2).form(country->alpha3);
    return out.take();
  }
  const SecretBytes inside = Joined(kForms).add(trunk).add(core).take();
  if (shape.beside_prefix()) return out.form(core).form(inside.reveal(SecretAccess{})).take();
  if (shape.national()) return out.form(inside.reveal(SecretAccess{})).form(core).take();
  out.form(kept);
  if (!prefix.empty()) out.form("+").add(prefix).add(core);
  return out.form(inside.reveal(SecretAccess{})).form(core).take();
}

SecretBytes Values::place(Field field, Shape shape) const {
  const ByteView address = part("address"), second = part("address2"), postal = part("postal_code");
  const Country* const country = country_of(as_text(part("country")));
  Joined out(kForms);
  switch (field) {
    case Field::address:
      out.add(address);
      if (second.empty() || !(shape.joined() || shape.two_lines())) return out.take();
      return out.add(shape.two_lines() ? "\n" : ", ").add(second).take();
    case Field::country:
      if (country == nullptr) return SecretBytes::copy_of(part("country"));
      return out.form(country->name).form(country->alpha2).form(country->alpha3).form(country->other).take();
    case Field::state: {
      const State* const state = state_of(country == nullptr ? "" : country->alpha2, as_text(part("state")));
      if (state == nullptr) return SecretBytes::copy_of(part("state"));
      return out.form(state->name).form(state->code).form(state->country).add("-").add(state->code).take();
    }
    default: break;
  }
  // A postal code: as kept, without what parts it, and the first five digits of a longer one of the United States.
  out.form(postal);
  SecretBytes tight = SecretBytes::zeros(std::max<std::size_t>(postal.size(), 1));
  std::size_t size = 0;
  for (const std::uint8_t c : postal)
    if (c != ' ' && c != '-') tight.reveal(SecretAccess{})[size++] = c;
  tight.shrink(size);
  const bool zip_plus_4 = size == 9 && postal.size() == 10 && postal[5] == '-';
  if (zip_plus_4) out.form(postal.first(5));
  if (size != postal.size()) out.form(tight.reveal(SecretAccess{}));
  // "K1A0B1" and "SW1A1AA" with the space that people write.
  if (country != nullptr && size == postal.size() && size > 4 && (country->alpha2 == "GB" || country->alpha2 == "CA"))
    out.form(postal.first(size - 3)).add(" ").add(postal.last(3));
  return out.take();
}

SecretBytes Values::text(Field field, Shape shape) const {
  if (shape.is_box()) return box_of(part(field == Field::totp ? "totp" : "number"), shape);
  const ByteView month = part("exp_month");
  const ByteView year = part("exp_year");
  const ByteView shaped_year = shape.long_year() || year.size() < 2 ? year : year.last(2);
  switch (field) {
    case Field::number:
      return shape.grouped() ? in_groups(part("number")) : SecretBytes::copy_of(part("number"));
    case Field::cvc: return SecretBytes::copy_of(part("cvv"));
    case Field::holder: return SecretBytes::copy_of(name_part(part("holder"), shape));
    case Field::exp_month: return SecretBytes::copy_of(month);
    case Field::exp_year: return SecretBytes::copy_of(shaped_year);
    case Field::exp: break;
    case Field::name:
    case Field::given_name:
    case Field::family_name: return name(field);
    case Field::phone: return phone(shape);
    case Field::email:
    case Field::address2:
    case Field::city:
    case Field::username:
    case Field::password:
    case Field::totp: return SecretBytes::copy_of(part(name_of(field)));
    default: return place(field, shape);
  }
  const ByteView first = shape.year_first() ? shaped_year : month;
  const ByteView second = shape.year_first() ? month : shaped_year;
  return Joined().add(first).add(separator_of(shape)).add(second).take();
}

SecretBytes Values::expected(Field field, Shape shape) const {
  const bool date = field == Field::exp || field == Field::exp_month || field == Field::exp_year;
  // Of a number the groups are no part.
  if (!date) return text(field, field == Field::number && !shape.is_box() ? Shape{} : shape);
  return Joined().add(part("exp_month")).add(part("exp_year")).take();
}

}  // namespace popvault::injector
