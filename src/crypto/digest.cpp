#include "crypto/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>

#include <cstdlib>
#include <memory>

#include "crypto/startup.hpp"

namespace popvault::crypto {
namespace {

void must(bool ok) {
  if (!ok) std::abort();
}

// Fetched once and kept: a fetch costs more than the hash of a row.
EVP_MAC* hmac_algorithm() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  must(algorithm != nullptr);
  return algorithm;
}

}  // namespace

Digest sha256(ByteView data) { return sha256({data}); }

Digest sha256(std::initializer_list<ByteView> pieces) {
  initialise();
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> ctx(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  must(ctx != nullptr && EVP_DigestInit_ex(ctx.get(), EVP_sha256(), nullptr) == 1);
  for (const ByteView piece : pieces) must(EVP_DigestUpdate(ctx.get(), piece.data(), piece.size()) == 1);
  Digest out;
  must(EVP_DigestFinal_ex(ctx.get(), out.bytes.data(), nullptr) == 1);
  return out;
}

// libsodium's state is plain memory that may stand anywhere; OpenSSL's is on its own heap.
Sha256::Sha256() : state_(SecretBytes::zeros(sizeof(crypto_hash_sha256_state))) {
  initialise();
  must(crypto_hash_sha256_init(
           reinterpret_cast<crypto_hash_sha256_state*>(state_.reveal(SecretAccess{}).data())) == 0);
}

void Sha256::update(ByteView data) {
  must(crypto_hash_sha256_update(
           reinterpret_cast<crypto_hash_sha256_state*>(state_.reveal(SecretAccess{}).data()), data.data(),
           data.size()) == 0);
}

Digest Sha256::so_far() const {
  SecretBytes copy = state_.clone();
  Digest out;
  must(crypto_hash_sha256_final(
           reinterpret_cast<crypto_hash_sha256_state*>(copy.reveal(SecretAccess{}).data()),
           out.bytes.data()) == 0);
  return out;
}

Digest hmac_sha256(const SecretBytes& key, std::initializer_list<ByteView> pieces) {
  initialise();
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> ctx(EVP_MAC_CTX_new(hmac_algorithm()),
                                                                      &EVP_MAC_CTX_free);
  char name[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                               OSSL_PARAM_construct_end()};
  const ByteView raw = key.reveal(SecretAccess{});
  // A null key would mean "keep the old one": an empty key needs an address too.
  static constexpr std::uint8_t kNothing = 0;
  must(ctx != nullptr &&
       EVP_MAC_init(ctx.get(), raw.empty() ? &kNothing : raw.data(), raw.size(), params) == 1);
  for (const ByteView piece : pieces) must(EVP_MAC_update(ctx.get(), piece.data(), piece.size()) == 1);
  Digest out;
  std::size_t size = 0;
  must(EVP_MAC_final(ctx.get(), out.bytes.data(), &size, out.bytes.size()) == 1 && size == out.bytes.size());
  return out;
}

}  // namespace popvault::crypto
