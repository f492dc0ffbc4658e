// Bech32 (BIP-173) without its limit of 90 characters, as age writes keys: prefix "1" data checksum.
//
// Bytes are regrouped into 5 bits, padded with zeros. A prefix in capitals gives a text in capitals. The
// secret forms read and write within secret memory. A prefix that is empty, of mixed case or not printable
// aborts. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

std::string bech32(std::string_view prefix, ByteView data);
SecretBytes bech32_secret(std::string_view prefix, const SecretBytes& data);

// The bytes of a text with exactly this prefix, in its case. Fails with invalid_params for another prefix,
// mixed case, a foreign character, a wrong checksum, or padding that is not zero or has a whole character.
Result<Bytes> bech32_read(std::string_view prefix, std::string_view text);
Result<SecretBytes> bech32_secret_read(std::string_view prefix, const SecretBytes& text);

}  // namespace popvault::crypto
