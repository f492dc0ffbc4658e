// A slot from a file: damaged, of other words, or opened; never anything else. The digest is made right for a
// second look behind it.
#include <algorithm>
#include <cstdlib>

#include "crypto/digest.hpp"
#include "vault/recovery.hpp"

using namespace popvault;

namespace {

void open(const SecretBytes& key, ByteView slot) {
  const auto opened = open_slot(key, "vlt_aaaaaaaaaaaaaaaaaaaaaaaaaa", slot);
  if (opened) {
    if (opened->empty() || opened->size() > kMaxSlotKeys) std::abort();
  } else if (opened.error().code != Errc::slot_damaged && opened.error().code != Errc::words_wrong) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The recovery key of the example in docs/VAULT_FORMAT.md.
  static const SecretBytes key = SecretBytes::copy_of(
      from_hex("801d423099905ecff631de29857ac7151ed9e4d9325b71c526a896414447c6d4").value());
  open(key, {data, size});
  if (size < 32) return 0;
  Bytes whole(data, data + size);
  const auto digest = crypto::sha256(ByteView(whole).first(size - 32));
  std::copy(digest.bytes.begin(), digest.bytes.end(), whole.end() - 32);
  open(key, whole);
  return 0;
}
