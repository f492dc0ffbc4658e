#include "vault/card.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/utf8.hpp"
#include "vault/machine_id.hpp"

namespace popvault {
namespace {

struct BrandRange {
  std::uint32_t first, last;  // of the leading `digits` digits
  unsigned digits;
  std::string_view brand;
};
// The first match counts: narrower ranges stand before wider ones.
constexpr BrandRange kRanges[] = {
    {34, 34, 2, "amex"},        {37, 37, 2, "amex"},
    {300, 305, 3, "diners"},    {3095, 3095, 4, "diners"},
    {36, 36, 2, "diners"},      {38, 39, 2, "diners"},
    {3528, 3589, 4, "jcb"},     {6011, 6011, 4, "discover"},
    {644, 649, 3, "discover"},  {65, 65, 2, "discover"},
    {62, 62, 2, "unionpay"},    {81, 81, 2, "unionpay"},
    {51, 55, 2, "mastercard"},  {2221, 2720, 4, "mastercard"},
    {50, 50, 2, "maestro"},     {56, 58, 2, "maestro"},
    {6304, 6304, 4, "maestro"}, {6390, 6390, 4, "maestro"},
    {67, 67, 2, "maestro"},     {4, 4, 1, "visa"},
};

bool digit(std::uint8_t c) noexcept { return c >= '0' && c <= '9'; }
bool digits_only(ByteView v) noexcept { return std::all_of(v.begin(), v.end(), digit); }

std::uint32_t leading(ByteView number, unsigned digits) noexcept {
  std::uint32_t out = 0;
  for (unsigned i = 0; i < digits && i < number.size(); ++i) out = out * 10 + (number[i] - '0');
  return out;
}

bool length_fits(std::string_view brand, std::size_t n) noexcept {
  if (brand == "visa") return n == 13 || n == 16 || n == 19;
  if (brand == "mastercard") return n == 16;
  if (brand == "amex") return n == 15;
  if (brand == "diners") return n >= 14 && n <= 19;
  if (brand == "discover" || brand == "jcb" || brand == "unionpay") return n >= 16 && n <= 19;
  return n >= 12 && n <= 19;
}

tl::unexpected<Error> wrong(std::string_view field) { return fail(Errc::invalid_field, std::string(field)); }

// The value without white space around it; empty when there is none.
ByteView value_of(const SecretFields& card, std::string_view name) {
  const auto found = card.find(name, SecretAccess{});
  return found ? trimmed(*found) : ByteView{};
}

// Sets a field from bytes that may lie in the fields themselves.
Status put(SecretFields& card, std::string_view name, ByteView value) {
  const SecretBytes copy = SecretBytes::copy_of(value);
  return card.set(name, copy.reveal(SecretAccess{}));
}

Status normalise_number(SecretFields& card) {
  const ByteView given = value_of(card, "number");
  SecretBytes plain = SecretBytes::zeros(given.size());
  std::size_t size = 0;
  for (const std::uint8_t c : given) {
    if (c != ' ' && c != '-') plain.reveal(SecretAccess{})[size++] = c;
  }
  const ByteView number = std::as_const(plain).reveal(SecretAccess{}).first(size);
  const bool length_ok = size >= 12 && size <= 19 && digits_only(number);
  if (!length_ok || !luhn_valid(number) || !length_fits(card_brand(number), size)) return wrong("number");
  return card.set("number", number);
}

Status normalise_month(SecretFields& card) {
  const ByteView given = value_of(card, "exp_month");
  if (given.empty() || given.size() > 2 || !digits_only(given)) return wrong("exp_month");
  const std::uint32_t month = leading(given, 2);
  if (month < 1 || month > 12) return wrong("exp_month");
  SecretBytes two = SecretBytes::zeros(2);
  two.reveal(SecretAccess{})[0] = static_cast<std::uint8_t>('0' + month / 10);
  two.reveal(SecretAccess{})[1] = static_cast<std::uint8_t>('0' + month % 10);
  return card.set("exp_month", std::as_const(two).reveal(SecretAccess{}));
}

Status normalise_year(SecretFields& card) {
  const ByteView given = value_of(card, "exp_year");
  if (!digits_only(given) || (given.size() != 2 && given.size() != 4)) return wrong("exp_year");
  if (given.size() == 4 && (given[0] != '2' || given[1] != '0')) return wrong("exp_year");
  SecretBytes four = SecretBytes::zeros(4);
  const std::span<std::uint8_t> out = four.reveal(SecretAccess{});
  out[0] = '2';
  out[1] = '0';
  std::memcpy(out.data() + 2, given.data() + given.size() - 2, 2);
  return card.set("exp_year", out);
}

Status normalise_cvv(SecretFields& card) {
  const ByteView given = value_of(card, "cvv");
  if (given.empty()) {
    card.erase("cvv");
    return {};
  }
  const std::string_view brand = card_brand(value_of(card, "number"));
  if (!digits_only(given) || (given.size() != 3 && given.size() != 4)) return wrong("cvv");
  if (brand != "card" && given.size() != (brand == "amex" ? 4U : 3U)) return wrong("cvv");
  return put(card, "cvv", given);
}

Status normalise_holder(SecretFields& card) {
  const ByteView given = value_of(card, "holder");
  if (given.empty()) {
    card.erase("holder");
    return {};
  }
  if (given.size() > kMaxHolder || !plain_text(as_text(given))) return wrong("holder");
  return put(card, "holder", given);
}

}  // namespace

bool luhn_valid(ByteView number) noexcept {
  unsigned sum = 0;
  bool twice = false;
  for (std::size_t i = number.size(); i-- > 0; twice = !twice) {
    if (!digit(number[i])) return false;
    const unsigned d = static_cast<unsigned>(number[i] - '0') * (twice ? 2U : 1U);
    sum += d > 9 ? d - 9 : d;
  }
  return !number.empty() && sum % 10 == 0;
}

std::string_view card_brand(ByteView number) noexcept {
  for (const BrandRange& range : kRanges) {
    if (number.size() < range.digits || !digits_only(number.first(range.digits))) continue;
    const std::uint32_t lead = leading(number, range.digits);
    if (lead >= range.first && lead <= range.last) return range.brand;
  }
  return "card";
}

Status normalise_card(SecretFields& card) {
  static constexpr std::array<std::string_view, 5> kNames = {"number", "exp_month", "exp_year", "cvv",
                                                             "holder"};
  for (const std::string& name : card.names()) {
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
      return fail(Errc::invalid_field, name + " is not a field of a card");
  }
  PV_TRY(normalise_number(card));
  PV_TRY(normalise_month(card));
  PV_TRY(normalise_year(card));
  PV_TRY(normalise_cvv(card));
  return normalise_holder(card);
}

}  // namespace popvault
