#include "vault/record_kinds.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/origin.hpp"
#include "base/utf8.hpp"
#include "crypto/totp.hpp"
#include "vault/card.hpp"
#include "vault/machine_id.hpp"

namespace popvault {
namespace {

tl::unexpected<Error> wrong(std::string_view field) { return fail(Errc::invalid_field, std::string(field)); }
tl::unexpected<Error> missing(std::string_view field) {
  return fail(Errc::invalid_field, std::string(field) + " is missing");
}

ByteView raw_value(const SecretFields& fields, std::string_view name) {
  return fields.find(name, SecretAccess{}).value_or(ByteView{});
}

// Sets a field from bytes that may lie in the fields themselves.
Status put(SecretFields& fields, std::string_view name, ByteView value) {
  const SecretBytes copy = SecretBytes::copy_of(value);
  return fields.set(name, copy.reveal(SecretAccess{}));
}

bool same_word(ByteView text, std::string_view lower) noexcept {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](std::uint8_t a, char b) {
    return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == static_cast<std::uint8_t>(b);
  });
}

// A decimal number of at most four digits; none for anything else.
std::optional<std::uint32_t> small_number(ByteView text) noexcept {
  if (text.empty() || text.size() > 4) return std::nullopt;
  std::uint32_t out = 0;
  for (const std::uint8_t c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    out = out * 10 + (c - '0');
  }
  return out;
}

Status set_number(SecretFields& fields, std::string_view name, std::uint32_t value) {
  return fields.set(name, as_bytes(std::to_string(value)));
}

// Plain text fields.

Status normalise_text(SecretFields& fields, std::string_view name, std::size_t limit) {
  const ByteView given = trimmed(raw_value(fields, name));
  if (given.empty()) {
    fields.erase(name);
    return {};
  }
  if (given.size() > limit || !plain_text(as_text(given))) return wrong(name);
  return put(fields, name, given);
}

Status normalise_email(SecretFields& identity) {
  PV_TRY(normalise_text(identity, "email", kMaxText));
  const std::string_view email = as_text(raw_value(identity, "email"));
  if (email.empty()) return {};
  const std::size_t at = email.rfind('@');
  if (at == email.npos || at == 0 || email.find(' ') != email.npos) return wrong("email");
  const std::string_view domain = email.substr(at + 1);
  if (domain.empty() || domain.front() == '.' || domain.back() == '.') return wrong("email");
  return {};
}

Status normalise_country(SecretFields& identity) {
  PV_TRY(normalise_text(identity, "country", kMaxText));
  SecretBytes code = SecretBytes::copy_of(raw_value(identity, "country"));
  const auto letter = [](std::uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const std::span<std::uint8_t> text = code.reveal(SecretAccess{});
  if (text.size() != 2 || !letter(text[0]) || !letter(text[1])) return {};
  for (std::uint8_t& c : text) c = static_cast<std::uint8_t>(c & ~0x20U);
  return identity.set("country", text);
}

Status normalise_identity(SecretFields& identity) {
  for (const std::string_view name : {"name", "phone", "address", "address2", "city", "state", "postal_code"})
    PV_TRY(normalise_text(identity, name, kMaxText));
  PV_TRY(normalise_email(identity));
  return normalise_country(identity);
}

Status normalise_api_key(SecretFields& fields) {
  PV_TRY(normalise_text(fields, "key", kMaxApiKey));
  return normalise_text(fields, "service", kMaxText);
}

// Logins.

struct TotpSeed {
  SecretBytes bytes;
  crypto::TotpForm form;
};

constexpr std::array<std::string_view, 3> kHashes = {"SHA1", "SHA256", "SHA512"};
constexpr std::array<std::string_view, 3> kHashesLower = {"sha1", "sha256", "sha512"};

Status take_algorithm(ByteView text, crypto::TotpForm& form) {
  for (std::size_t i = 0; i < kHashesLower.size(); ++i)
    if (same_word(text, kHashesLower[i])) return form.hash = static_cast<crypto::OtpHash>(i), Status{};
  return wrong("totp_algorithm");
}

Status take_digits(ByteView text, crypto::TotpForm& form) {
  const auto number = small_number(text);
  if (!number || *number < 6 || *number > 8) return wrong("totp_digits");
  form.digits = *number;
  return {};
}

Status take_period(ByteView text, crypto::TotpForm& form) {
  const auto number = small_number(text);
  if (!number || *number < 1 || *number > kMaxTotpPeriod) return wrong("totp_period");
  form.period = *number;
  return {};
}

Result<SecretBytes> seed_of(ByteView text) {
  auto bytes = crypto::base32_bytes(text);
  if (!bytes || bytes->size() > kMaxTotpSeed) return wrong("totp");
  return std::move(*bytes);
}

int hex_value(std::uint8_t c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986 section 2.1; "+" is a space, as in forms.
Result<SecretBytes> percent_decoded(ByteView text) {
  SecretBytes out = SecretBytes::zeros(text.size());
  const std::span<std::uint8_t> bytes = out.reveal(SecretAccess{});
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes[size++] = text[i] == '+' ? static_cast<std::uint8_t>(' ') : text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) return wrong("totp");
    bytes[size++] = static_cast<std::uint8_t>(high << 4 | low);
    i += 2;
  }
  out.shrink(size);
  return out;
}

// What stands before the first `mark` in `rest`, which then begins behind it.
ByteView cut(ByteView& rest, char mark) noexcept {
  const auto at = std::find(rest.begin(), rest.end(), static_cast<std::uint8_t>(mark));
  const auto size = static_cast<std::size_t>(at - rest.begin());
  const ByteView head = rest.first(size);
  rest = rest.subspan(std::min(size + 1, rest.size()));
  return head;
}

constexpr std::string_view kOtpauth = "otpauth://totp/";

bool is_address(ByteView text) noexcept {
  return same_word(text.first(std::min<std::size_t>(text.size(), 8)), "otpauth:");
}

// otpauth://totp/LABEL?secret=...&algorithm=...&digits=...&period=...: the address that QR codes carry. Its
// label, issuer and whatever else is in it are not kept.
Result<TotpSeed> seed_of_address(ByteView address) {
  if (address.size() < kOtpauth.size() || !same_word(address.first(kOtpauth.size()), kOtpauth))
    return wrong("totp");
  ByteView rest = address;
  rest = cut(rest, '#');
  (void)cut(rest, '?');
  TotpSeed out;
  std::array<bool, 4> seen{};
  while (!rest.empty()) {
    ByteView value = cut(rest, '&');
    const ByteView name = cut(value, '=');
    static constexpr std::array<std::string_view, 4> kNames = {"secret", "algorithm", "digits", "period"};
    const auto which =
        std::find_if(kNames.begin(), kNames.end(), [&](std::string_view n) { return same_word(name, n); });
    if (which == kNames.end()) continue;
    const auto at = static_cast<std::size_t>(which - kNames.begin());
    if (std::exchange(seen[at], true)) return wrong("totp");
    PV_ASSIGN(const SecretBytes plain, percent_decoded(value));
    const ByteView text = plain.reveal(SecretAccess{});
    if (at == 0) {
      PV_ASSIGN(out.bytes, seed_of(text));
    } else {
      PV_TRY(at == 1   ? take_algorithm(text, out.form)
             : at == 2 ? take_digits(text, out.form)
                       : take_period(text, out.form));
    }
  }
  if (!seen[0]) return wrong("totp");
  return out;
}

// The seed as it stands in the fields; the fields beside it count only for one that is no address.
Result<TotpSeed> seed_of_login(const SecretFields& login) {
  const ByteView given = trimmed(raw_value(login, "totp"));
  if (given.size() > kMaxTotpText) return wrong("totp");
  if (is_address(given)) return seed_of_address(given);
  TotpSeed out;
  PV_ASSIGN(out.bytes, seed_of(given));
  const ByteView algorithm = trimmed(raw_value(login, "totp_algorithm"));
  const ByteView digits = trimmed(raw_value(login, "totp_digits"));
  const ByteView period = trimmed(raw_value(login, "totp_period"));
  if (!algorithm.empty()) PV_TRY(take_algorithm(algorithm, out.form));
  if (!digits.empty()) PV_TRY(take_digits(digits, out.form));
  if (!period.empty()) PV_TRY(take_period(period, out.form));
  return out;
}

void erase_totp_form(SecretFields& login) {
  for (const char* name : {"totp_algorithm", "totp_digits", "totp_period"}) login.erase(name);
}

Status normalise_totp(SecretFields& login) {
  if (trimmed(raw_value(login, "totp")).empty()) {
    login.erase("totp");
    erase_totp_form(login);
    return {};
  }
  PV_ASSIGN(const TotpSeed seed, seed_of_login(login));
  const SecretBytes text = crypto::base32_text(seed.bytes);
  erase_totp_form(login);
  PV_TRY(login.set("totp", text.reveal(SecretAccess{})));
  const crypto::TotpForm usual;
  if (seed.form.hash != usual.hash)
    PV_TRY(login.set("totp_algorithm", as_bytes(kHashes[static_cast<std::size_t>(seed.form.hash)])));
  if (seed.form.digits != usual.digits) PV_TRY(set_number(login, "totp_digits", seed.form.digits));
  if (seed.form.period != usual.period) PV_TRY(set_number(login, "totp_period", seed.form.period));
  return {};
}

Status normalise_login(SecretFields& login) {
  const auto origin = Origin::parse(as_text(trimmed(raw_value(login, "origin"))));
  if (!origin || !(origin->https() || origin->loopback())) return wrong("origin");
  PV_TRY(login.set("origin", as_bytes(origin->text())));
  for (const std::string_view name : {"username", "password"}) {
    const ByteView value = raw_value(login, name);
    if (value.size() > kMaxLoginText || !valid_utf8(as_text(value))) return wrong(name);
  }
  return normalise_totp(login);
}

struct Kind {
  std::string_view word, prefix;
  std::initializer_list<std::string_view> fields;
  std::initializer_list<std::string_view> required;
  Status (*normalise)(SecretFields&);
};

const Kind* kind_of(std::string_view word) noexcept {
  static const Kind kKinds[] = {
      {"card", "crd_", {"number", "exp_month", "exp_year", "cvv", "holder"}, {}, &normalise_card},
      {"identity",
       "idn_",
       {"name", "email", "phone", "address", "address2", "city", "state", "postal_code", "country"},
       {"name"},
       &normalise_identity},
      {"login",
       "lgn_",
       {"origin", "username", "password", "totp", "totp_algorithm", "totp_digits", "totp_period"},
       {"origin", "username", "password"},
       &normalise_login},
      {"api_key", "key_", {"key", "service"}, {"key"}, &normalise_api_key},
  };
  for (const Kind& kind : kKinds)
    if (kind.word == word) return &kind;
  return nullptr;
}

// Required ones, before their form is looked at and again after white space is gone.
Status check_required(const Kind& kind, const SecretFields& fields) {
  for (const std::string_view name : kind.required)
    if (raw_value(fields, name).empty()) return missing(name);
  return {};
}

}  // namespace

std::string_view id_prefix_of(std::string_view kind) noexcept {
  const Kind* const found = kind_of(kind);
  return found != nullptr ? found->prefix : std::string_view{};
}

Status normalise_record(std::string_view word, SecretFields& fields) {
  const Kind* const kind = kind_of(word);
  if (kind == nullptr) return fail(Errc::invalid_field, "kind is card, identity, login or api_key");
  for (const std::string& name : fields.names())
    if (std::find(kind->fields.begin(), kind->fields.end(), name) == kind->fields.end())
      return fail(Errc::invalid_field, name + " is no field of this kind");
  PV_TRY(check_required(*kind, fields));
  PV_TRY(kind->normalise(fields));
  return check_required(*kind, fields);
}

Status change_record(std::string_view kind, SecretFields& fields, const SecretFields& changes) {
  SecretFields changed = fields.clone();
  if (kind == "login" && changes.has("totp")) erase_totp_form(changed);
  for (const std::string& name : changes.names()) PV_TRY(changed.set(name, raw_value(changes, name)));
  PV_TRY(normalise_record(kind, changed));
  fields = std::move(changed);
  return {};
}

Result<SecretBytes> current_totp(const SecretFields& login, Seconds now) {
  if (!login.has("totp")) return fail(Errc::not_found, "totp");
  PV_ASSIGN(const TotpSeed seed, seed_of_login(login));
  return crypto::totp(seed.bytes, now, seed.form);
}

std::uint32_t totp_seconds_left(const SecretFields& login, Seconds now) {
  if (!login.has("totp")) return 0;
  const auto seed = seed_of_login(login);
  return seed ? crypto::totp_seconds_left(now, seed->form.period) : 0;
}

}  // namespace popvault
