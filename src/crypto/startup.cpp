#include "crypto/startup.hpp"

#include <openssl/crypto.h>
#include <sodium.h>

#include <cstdlib>

namespace popvault::crypto {

void initialise() {
  static const bool ready = [] {
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) std::abort();
    if (sodium_init() < 0) std::abort();
    return true;
  }();
  (void)ready;
}

}  // namespace popvault::crypto
