// The salt of machine mode, which is part of the build.
//
// A hardened build (POPVAULT_COMPILED_SALT_FILE, 1 to 64 raw bytes) carries two byte arrays whose XOR is the
// salt; split_salt makes them with a random mask at build time. A source build has the public salt, which
// protects nothing by itself: making such a vault needs the owner's consent. Any thread.
#pragma once

#include "base/bytes.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

bool hardened_build() noexcept;
// The salt of this build, rebuilt for one derivation; drop it right after.
SecretBytes compiled_salt();
// "pop-pay-oss-v1-public-salt-2026": fixed by the vaults that exist. A hardened build uses it only to import.
ByteView public_salt() noexcept;

}  // namespace popvault::crypto
