// The kinds of records: which fields each has, what is accepted in them and in which form they are kept
// (docs/VAULT_FORMAT.md, "Blobs").
//
//   card      vault/card.hpp
//   identity  name; email, phone, address, address2, city, state, postal_code, country
//             text; an e-mail address has something before and after its last "@" and no space; a country of two
//             letters is kept in capitals (ISO 3166-1 alpha-2)
//   login     origin, username, password; totp, totp_algorithm, totp_digits, totp_period
//             https, or http on a loopback host (base/origin.hpp); names and passwords are any UTF-8 of at most
//             1 KiB, kept byte for byte; a seed is base32 or a whole otpauth://totp/ address, kept as base32 in
//             capitals without padding, and beside it the other three only where they are not SHA1, 6 and 30 s
//   api_key   key; service
//             text; a key has at most 4 KiB
//
// The fields before the first semicolon must be there. Text is UTF-8 without control characters, at most 200 bytes where
// nothing else is said; white space around a value is dropped, but not in user names and passwords. An empty optional
// value is the same as none. Normal fields stay as they are.
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
