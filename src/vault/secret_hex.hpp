// Hex of secrets, in secret memory, without tables or branches on the digits' values.
#pragma once

#include <optional>

#include "secret/secret_bytes.hpp"

namespace popvault {

// Lower case.
SecretBytes secret_to_hex(const SecretBytes& data);
// Exactly `size` bytes of lower-case hex, or none.
std::optional<SecretBytes> secret_from_hex(const SecretBytes& text, std::size_t size);

}  // namespace popvault
