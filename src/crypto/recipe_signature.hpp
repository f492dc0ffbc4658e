// Whether a recipe is one of those that came with this popvault: Ed25519 over its exact bytes, by the key that is built in
// (recipes/signer.pub). Any thread.
#pragma once

#include <string_view>

#include "crypto/sign.hpp"

namespace popvault::crypto {

// `signature`: 128 hex digits; anything else is no signature.
bool recipe_signed(ByteView text, std::string_view signature);

}  // namespace popvault::crypto
