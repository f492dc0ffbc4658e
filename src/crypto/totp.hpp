// One-time codes of a login: HOTP (RFC 4226) and TOTP (RFC 6238), and the base32 text their seeds are handed
// out in.
//
// Seeds, codes and texts are in secret memory. Any thread. Lack of memory aborts; so do digits outside 6 to 8
// and a period of 0, which the reader of a record refuses.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

enum class OtpHash : std::uint8_t { sha1, sha256, sha512 };

struct TotpForm {
  OtpHash hash = OtpHash::sha1;
  unsigned digits = 6;        // 6 to 8
  std::uint32_t period = 30;  // seconds
};

// `digits` ASCII digits.
SecretBytes hotp(const SecretBytes& seed, std::uint64_t counter, OtpHash hash, unsigned digits);
// The code at `now` (seconds since 1970; a time before that counts as 1970).
SecretBytes totp(const SecretBytes& seed, std::int64_t now, const TotpForm& form);
// For how many seconds from `now` on that code is the current one: 1 to period.
std::uint32_t totp_seconds_left(std::int64_t now, std::uint32_t period) noexcept;

// RFC 4648 section 6 as people write seeds: upper or lower case, spaces and dashes between, padding at the
// end or none. Bits left over at the end are dropped, whatever they are: generators of seeds do not care.
// Fails with invalid_field (no detail) for nothing, another character, a character after padding, or a length
// that no bytes have.
Result<SecretBytes> base32_bytes(ByteView text);
// The one form: upper case, no padding.
SecretBytes base32_text(const SecretBytes& bytes);

}  // namespace popvault::crypto
