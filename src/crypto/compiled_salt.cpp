#include "crypto/compiled_salt.hpp"

namespace popvault::crypto {
namespace {

#ifdef POPVAULT_HARDENED
// Defines kHalfA and kHalfB. Volatile: with plain constants the optimiser computes the XOR and puts the whole
// salt into the program.
#include "salt_halves.inc"
static_assert(sizeof kHalfA == sizeof kHalfB);
#endif

constexpr std::string_view kPublicSalt = "pop-pay-oss-v1-public-salt-2026";

}  // namespace

ByteView public_salt() noexcept { return as_bytes(kPublicSalt); }

#ifdef POPVAULT_HARDENED

bool hardened_build() noexcept { return true; }

SecretBytes compiled_salt() {
  SecretBytes out = SecretBytes::zeros(sizeof kHalfA);
  const std::span<std::uint8_t> bytes = out.reveal(SecretAccess{});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t a = kHalfA[i];
    const std::uint8_t b = kHalfB[i];
    bytes[i] = static_cast<std::uint8_t>(a ^ b);
  }
  return out;
}

#else

bool hardened_build() noexcept { return false; }

SecretBytes compiled_salt() { return SecretBytes::copy_of(public_salt()); }

#endif

}  // namespace popvault::crypto
