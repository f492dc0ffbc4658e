// The bare key derivation of `popvault unlock`, in a process of its own as there: prints the milliseconds that it took.
#include <chrono>
#include <cstdio>
#include <string_view>

#include "crypto/kdf.hpp"

int main() {
  using namespace popvault;
  constexpr std::string_view kSalt = "0123456789abcdef0123456789abcdef";  // as long as a machine id
  const SecretBytes passphrase = SecretBytes::copy_of(as_bytes("seven quiet lanterns by the harbour"));
  // What the libraries do once in a process does not count.
  if (!crypto::pbkdf2(passphrase, as_bytes(kSalt), 1, 32)) return 1;
  const auto begin = std::chrono::steady_clock::now();
  const auto key = crypto::pbkdf2_passphrase_key(passphrase, as_bytes(kSalt));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  if (!key) return 1;
  std::printf("%.6f\n", took.count());
  return 0;
}
