// Identity files of age: lines of text, where an empty one and one that begins with # say nothing and any
// other is a key, "AGE-SECRET-KEY-1...". Read straight into secret memory. Any thread.
#pragma once

#include <string>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::cli {

constexpr std::size_t kMaxIdentityFile = 64 * 1024;

// The 32 bytes of the one X25519 key in it; "-" is standard input. Fails with usage for a path that is a key
// itself, with not_found, and with invalid_field for anything but one key. No text of the file is repeated.
Result<SecretBytes> read_identity_file(const std::string& path);

// The same of its text.
Result<SecretBytes> identity_in(const SecretBytes& text);

}  // namespace popvault::cli
