// The kinds of records: which fields each has, what is accepted in them and in which form they are kept.
//
//   card      vault/card.hpp
//   identity  name; email, phone, address, city, postal_code, country. Plain UTF-8 text of at most 200 bytes;
//   an e-mail
//             address has something before and after its last "@" and no space; a country of two letters is
//             kept in upper case (ISO 3166-1 alpha-2), another text as it is
//   login     origin (base/origin.hpp: https, or http on a loopback host), username, password (UTF-8 of at
//   most 1 KiB,
//             kept byte for byte); totp, a seed in base32 or a whole otpauth://totp/ address, kept as base32
//             in upper case without padding, beside it totp_algorithm (SHA1, SHA256, SHA512), totp_digits (6
//             to 8) and totp_period (1 to 3600 seconds), each only where it is not SHA1, 6 and 30
//   api_key   key (plain UTF-8 text of at most 4 KiB); service (as in identity)
//
// The first fields of each list, up to a semicolon, must be there. White space around a value is dropped, but
// not in user names and passwords. An empty optional value is the same as none. Normal fields stay as they
// are.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "os/clock.hpp"
#include "secret/fields.hpp"

namespace popvault {

constexpr std::size_t kMaxText = 200;
constexpr std::size_t kMaxLoginText = 1024;
constexpr std::size_t kMaxApiKey = 4 * 1024;
constexpr std::size_t kMaxTotpText = 2 * 1024;  // a seed or an address as given
constexpr std::size_t kMaxTotpSeed = 256;       // bytes
constexpr std::uint32_t kMaxTotpPeriod = 3600;

// "crd_", "idn_", "lgn_", "key_"; empty for a word that is no kind.
std::string_view id_prefix_of(std::string_view kind) noexcept;

// Checks and rewrites the fields in place. Fails with invalid_field, the field's name in the detail and never
// its value; an unknown kind or field is refused too. What was not reached is then as it was.
Status normalise_record(std::string_view kind, SecretFields& fields);

// What an edit does: the fields in `changes` replace those of the same name, an empty value takes one away,
// and a new or removed seed takes the old one's algorithm, digits and period with it. Then as
// normalise_record. `fields` is as it was when this fails.
Status change_record(std::string_view kind, SecretFields& fields, const SecretFields& changes);

// The current code of a normalised login; not_found without a seed, invalid_field when it is not normalised.
Result<SecretBytes> current_totp(const SecretFields& login, Seconds now);
// For how many seconds it stays the current one; 0 where there is none.
std::uint32_t totp_seconds_left(const SecretFields& login, Seconds now);

}  // namespace popvault
