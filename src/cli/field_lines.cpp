#include "cli/field_lines.hpp"

#include <algorithm>
#include <string>

namespace popvault::cli {
namespace {

constexpr FieldSpec kCard[] = {
    {"number", "Card number (not shown): ", true, true},
    {"exp_month", "Month of expiry (MM): ", false, true},
    {"exp_year", "Year of expiry (YYYY): ", false, true},
    {"cvv", "CVV (not shown, may be empty): ", true, false},
    {"holder", "Name on the card (may be empty): ", false, false},
};
constexpr FieldSpec kIdentity[] = {
    {"name", "Name: ", false, true},
    {"email", "E-mail (may be empty): ", false, false},
    {"phone", "Phone (may be empty): ", false, false},
    {"address", "Street and number (may be empty): ", false, false},
    {"address2", "Second line of the address (may be empty): ", false, false},
    {"city", "City (may be empty): ", false, false},
    {"state", "State or province (may be empty): ", false, false},
    {"postal_code", "Postal code (may be empty): ", false, false},
    {"country", "Country (may be empty): ", false, false},
};
constexpr FieldSpec kLogin[] = {
    {"origin", "Origin (https://...): ", false, true},
    {"username", "User name: ", false, true},
    {"password", "Password (not shown): ", true, true},
    {"totp", "TOTP seed (not shown, may be empty): ", true, false},
};
constexpr FieldSpec kApiKey[] = {
    {"key", "Key (not shown): ", true, true},
    {"service", "Service it is for (may be empty): ", false, false},
};

// A mistyped field name, and not somebody's card number or password.
bool looks_like_name(std::string_view name) {
  return !name.empty() && name.size() <= 16 &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

tl::unexpected<Error> wrong_line(std::size_t number, const char* why) {
  return fail(Errc::invalid_field, "line " + std::to_string(number) + " of the fields " + why);
}

Status take_field(std::string_view line, std::size_t number, std::span<const FieldSpec> allowed,
                  SecretFields& out) {
  const std::size_t equals = line.find('=');
  if (equals == line.npos) return wrong_line(number, "is not name=value");
  const std::string_view name = line.substr(0, equals);
  const bool known =
      std::any_of(allowed.begin(), allowed.end(), [&](const FieldSpec& f) { return f.name == name; });
  if (!known && looks_like_name(name))
    return fail(Errc::invalid_field, std::string(name) + " is not a field of this kind");
  if (!known) return wrong_line(number, "has no known name before =");
  if (out.has(name)) return fail(Errc::invalid_field, std::string(name) + " is there twice");
  return out.set(name, as_bytes(line.substr(equals + 1)));
}

}  // namespace

std::span<const FieldSpec> fields_of(std::string_view kind) noexcept {
  if (kind == "card") return kCard;
  if (kind == "identity") return kIdentity;
  if (kind == "login") return kLogin;
  if (kind == "api_key") return kApiKey;
  return {};
}

Result<SecretFields> parse_field_lines(const SecretBytes& text, std::span<const FieldSpec> allowed) {
  SecretFields out;
  std::string_view rest = as_text(text.reveal(SecretAccess{}));
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) PV_TRY(take_field(line, number, allowed, out));
  }
  return out;
}

Status check_required(const SecretFields& fields, std::span<const FieldSpec> specs) {
  for (const FieldSpec& spec : specs) {
    const auto value = fields.find(spec.name, SecretAccess{});
    if (spec.required && (!value || value->empty()))
      return fail(Errc::invalid_field, std::string(spec.name) + " is missing");
  }
  return {};
}

}  // namespace popvault::cli
