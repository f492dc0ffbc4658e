// A vault file: raw bytes never open under a key that did not seal them; an authentic file with any content
// is read as a keyring, as the other tool's vault, or refused with the words for that.
#include <cstdlib>

#include "crypto/aead.hpp"
#include "vault/foreign.hpp"
#include "vault/keyring.hpp"
#include "vault/vault_file.hpp"

using namespace popvault;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

const SecretBytes& key() {
  static const SecretBytes instance = SecretBytes::copy_of(Bytes(32, 0x42));
  return instance;
}

void read_keyring(const VaultDocument& document) {
  const auto keys = Keyring::from_document(document);
  if (!keys) {
    require(keys.error().code == Errc::vault_corrupt || keys.error().code == Errc::newer_version);
    return;
  }
  const VaultDocument written = keys->to_document();
  const auto again = Keyring::from_document(written);
  require(again.has_value() && again->to_document() == written);
}

void read_foreign(const VaultDocument& document) {
  const auto foreign = foreign_card(document);
  if (!foreign) {
    require(foreign.error().code == Errc::invalid_field);
  } else if (foreign->card) {
    require(export_foreign(*foreign->card, key()).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  const auto raw = open_vault(key(), input);
  require(!raw && raw.error().code == (size < 28 ? Errc::vault_corrupt : Errc::wrong_key));
  const auto document = open_vault(key(), crypto::seal(key(), input, {}).value());
  if (!document) {
    require(document.error().code == Errc::vault_corrupt);
    return 0;
  }
  read_keyring(*document);
  read_foreign(*document);
  return 0;
}
