// Bech32: the two readers agree, and what they accept is exactly what the writer writes.
#include <cstdlib>
#include <string>

#include "crypto/bech32.hpp"

using namespace popvault;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(as_text({data, size}));
  for (const char* prefix : {"age", "AGE-SECRET-KEY-", "x"}) {
    const auto open = crypto::bech32_read(prefix, text);
    const auto hidden = crypto::bech32_secret_read(prefix, SecretBytes::copy_of({data, size}));
    if (open.has_value() != hidden.has_value()) std::abort();
    if (open && (!(SecretBytes::copy_of(*open) == *hidden) || crypto::bech32(prefix, *open) != text))
      std::abort();
    if (!open && open.error().code != Errc::invalid_params) std::abort();
    const std::string written = crypto::bech32(prefix, {data, size});
    if (as_text(crypto::bech32_read(prefix, written).value()) != text) std::abort();
  }
  return 0;
}
