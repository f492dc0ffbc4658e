#include "crypto/recipe_signature.hpp"

#include <algorithm>

extern const char popvault_embedded_recipe_signer[];

namespace popvault::crypto {
namespace {

template <std::size_t N>
bool take_hex(std::string_view text, std::array<std::uint8_t, N>& out) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != N) return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

}  // namespace

bool recipe_signed(ByteView text, std::string_view signature) {
  std::string_view key_text = popvault_embedded_recipe_signer;
  key_text = key_text.substr(0, key_text.find('\n'));
  PublicKey key;
  Signature given;
  return take_hex(key_text, key.bytes) && take_hex(signature, given.bytes) && verify(key, text, given);
}

}  // namespace popvault::crypto
