#include "vault/masked_view.hpp"

#include <algorithm>
#include <chrono>

#include "base/utf8.hpp"
#include "crypto/aead.hpp"
#include "crypto/random.hpp"
#include "vault/card.hpp"
#include "vault/machine_id.hpp"
#include "vault/record_name.hpp"

namespace popvault {
namespace {

std::string associated_data(std::string_view record_id, std::uint64_t version) {
  return "{\"record\":\"" + std::string(record_id) +
         "\",\"type\":\"view\",\"version\":" + std::to_string(version) + "}";
}

std::string text_of(const SecretFields& view, std::string_view name) {
  const auto value = view.find(name, SecretAccess{});
  return value ? std::string(as_text(*value)) : std::string();
}

int number_of(ByteView digits) noexcept {
  int out = 0;
  for (const std::uint8_t d : digits) out = out * 10 + (d - '0');
  return out;
}

// "YYYY-MM": good until the last second of that month, UTC.
bool past(ByteView valid_through, Seconds now) {
  using namespace std::chrono;
  const year_month month = year{number_of(valid_through.first(4))} /
                           std::chrono::month{static_cast<unsigned>(number_of(valid_through.last(2)))};
  const sys_days next = (month + months{1}) / 1;
  return now >= duration_cast<seconds>(next.time_since_epoch()).count();
}

bool well_formed_month(ByteView v) noexcept {
  if (v.size() != 7 || v[4] != '-') return false;
  for (const std::size_t i : {0, 1, 2, 3, 5, 6})
    if (v[i] < '0' || v[i] > '9') return false;
  const int month = number_of(v.last(2));
  return month >= 1 && month <= 12;
}

}  // namespace

Result<std::string> checked_label(std::string_view label) {
  const std::string_view text = as_text(trimmed(as_bytes(label)));
  if (text.empty() || text.size() > kMaxLabel || !plain_text(text)) return fail(Errc::invalid_field, "label");
  return std::string(text);
}

std::string masked_number(std::size_t digits, std::string_view last4) {
  if (digits == 15) return "****-******-*" + std::string(last4);
  if (digits == 14) return "****-******-" + std::string(last4);
  std::string out;
  for (std::size_t i = 0; i + last4.size() < digits; ++i) {
    if (i > 0 && i % 4 == 0) out.push_back('-');
    out.push_back('*');
  }
  return out.append("-").append(last4);
}

Result<SecretFields> view_of_card(std::string_view label, const SecretFields& card) {
  const auto number = card.find("number", SecretAccess{});
  const auto month = card.find("exp_month", SecretAccess{});
  const auto year = card.find("exp_year", SecretAccess{});
  if (!number || number->size() < 12 || !month || month->size() != 2 || !year || year->size() != 4)
    return fail(Errc::internal, "the card is not normalised");
  PV_ASSIGN(SecretFields out, view_of_other(label));
  const ByteView last4 = number->last(4);
  SecretBytes valid = SecretBytes::zeros(7);
  std::uint8_t* at = valid.reveal(SecretAccess{}).data();
  at = std::copy(year->begin(), year->end(), at);
  *at++ = '-';
  std::copy(month->begin(), month->end(), at);
  PV_TRY(out.set("brand", as_bytes(card_brand(*number))));
  PV_TRY(out.set("last4", last4));
  PV_TRY(out.set("masked", as_bytes(masked_number(number->size(), as_text(last4)))));
  PV_TRY(out.set("valid_through", std::as_const(valid).reveal(SecretAccess{})));
  return out;
}

Result<SecretFields> view_of_other(std::string_view label) {
  PV_ASSIGN(const std::string checked, checked_label(label));
  SecretFields out;
  PV_TRY(out.set("label", as_bytes(checked)));
  return out;
}

MaskedView masked_view(std::string_view id, std::string_view kind, std::string_view alias,
                       const SecretFields& view, Seconds now) {
  MaskedView out;
  out.id = id;
  out.kind = kind;
  out.alias = alias;
  out.label = text_of(view, "label");
  out.brand = text_of(view, "brand");
  out.last4 = text_of(view, "last4");
  out.masked = text_of(view, "masked");
  const auto valid = view.find("valid_through", SecretAccess{});
  // A date that cannot be read is not one that is still good.
  out.expired = valid && (!well_formed_month(*valid) || past(*valid, now));
  return out;
}

Result<Bytes> seal_view(const SecretBytes& view_key, std::string_view record_id, std::uint64_t version,
                        const SecretFields& view) {
  if (!valid_record_name(record_id)) return fail(Errc::internal, "a record has a malformed name");
  return crypto::seal(view_key, view.reveal(SecretAccess{}), as_bytes(associated_data(record_id, version)));
}

Result<SecretFields> open_view_fields(const SecretBytes& view_key, std::string_view record_id,
                                      std::uint64_t version, ByteView sealed) {
  if (!valid_record_name(record_id)) return fail(Errc::state_corrupt, "a record has a malformed name");
  if (sealed.size() > kMaxFieldsSize + crypto::kAeadOverhead)
    return fail(Errc::state_corrupt, "a record's view is too large");
  auto block = crypto::open(view_key, sealed, as_bytes(associated_data(record_id, version)));
  if (!block && block.error().code != Errc::internal) return fail(Errc::state_corrupt, "a record's view");
  if (!block) return tl::unexpected(block.error());
  auto fields = SecretFields::parse(std::move(*block));
  if (!fields) return fail(Errc::state_corrupt, "a record's view");
  return fields;
}

Result<MaskedView> open_view(const SecretBytes& view_key, std::string_view id, std::string_view kind,
                             std::string_view alias, std::uint64_t version, ByteView sealed, Seconds now) {
  PV_ASSIGN(const SecretFields view, open_view_fields(view_key, id, version, sealed));
  return masked_view(id, kind, alias, view, now);
}

std::string new_alias(std::string_view kind) {
  return "tok_" + std::string(kind) + '_' + crypto::random_token(26);
}

}  // namespace popvault
