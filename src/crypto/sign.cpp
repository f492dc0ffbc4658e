#include "crypto/sign.hpp"

#include <sodium.h>

#include <cstdlib>

#include "crypto/startup.hpp"

namespace popvault::crypto {

static_assert(crypto_sign_PUBLICKEYBYTES == 32 && crypto_sign_BYTES == 64 && crypto_sign_SEEDBYTES == 32);

SigningKey SigningKey::from_seed(const SecretBytes& seed) {
  initialise();
  if (seed.size() != crypto_sign_SEEDBYTES) std::abort();
  SigningKey out;
  out.secret_ = SecretBytes::zeros(crypto_sign_SECRETKEYBYTES);
  const int status =
      crypto_sign_seed_keypair(out.public_.bytes.data(), out.secret_.reveal(SecretAccess{}).data(),
                               seed.reveal(SecretAccess{}).data());
  sodium_stackzero(4096);
  if (status != 0) std::abort();
  return out;
}

Signature SigningKey::sign(ByteView message) const {
  Signature out;
  const int status = crypto_sign_detached(out.bytes.data(), nullptr, message.data(), message.size(),
                                          secret_.reveal(SecretAccess{}).data());
  sodium_stackzero(4096);
  if (status != 0) std::abort();
  return out;
}

bool valid_public_key(const PublicKey& key) {
  initialise();
  return crypto_core_ed25519_is_valid_point(key.bytes.data()) == 1;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
  initialise();
  return crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(),
                                     key.bytes.data()) == 0;
}

}  // namespace popvault::crypto
