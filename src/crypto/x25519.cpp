#include "crypto/x25519.hpp"

#include <sodium.h>

#include <cstdlib>

#include "crypto/startup.hpp"

namespace popvault::crypto {
namespace {

static_assert(crypto_scalarmult_BYTES == kX25519Size && crypto_scalarmult_SCALARBYTES == kX25519Size);

// The ladder keeps its field elements on the stack.
constexpr std::size_t kStackUsed = 8 * 1024;

const std::uint8_t* scalar(const SecretBytes& secret) {
  if (secret.size() != kX25519Size) std::abort();
  return secret.reveal(SecretAccess{}).data();
}

}  // namespace

X25519PublicKey x25519_public(const SecretBytes& secret) {
  initialise();
  X25519PublicKey out;
  const int status = crypto_scalarmult_base(out.bytes.data(), scalar(secret));
  sodium_stackzero(kStackUsed);
  if (status != 0) std::abort();
  return out;
}

Result<SecretBytes> x25519(const SecretBytes& secret, const X25519PublicKey& peer) {
  initialise();
  SecretBytes out = SecretBytes::zeros(kX25519Size);
  const int status = crypto_scalarmult(out.reveal(SecretAccess{}).data(), scalar(secret), peer.bytes.data());
  sodium_stackzero(kStackUsed);
  if (status != 0) return fail(Errc::invalid_params, "the X25519 public key has a small order");
  return out;
}

}  // namespace popvault::crypto
