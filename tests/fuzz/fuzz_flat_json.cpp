// The plaintext of vault.enc: whatever is accepted is accepted by another reader too, with the same members,
// and survives writing and reading.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "vault/flat_json.hpp"

using namespace popvault;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  const auto document = VaultDocument::parse(SecretBytes::copy_of(input));
  if (!document) {
    if (document.error().code != Errc::vault_corrupt) std::abort();
    return 0;
  }
  const auto other = nlohmann::json::parse(as_text(input), nullptr, false);
  if (!other.is_object() || other.size() != document->size()) std::abort();
  for (const std::string& name : document->names()) {
    const auto found = other.find(name);
    if (found == other.end() || !found->is_string()) std::abort();
    if (found->get<std::string>() != as_text(document->find(name)->reveal(SecretAccess{}))) std::abort();
  }
  const auto again = VaultDocument::parse(document->serialise());
  if (!again || !(*again == *document)) std::abort();
  return 0;
}
