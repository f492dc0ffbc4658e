// A block of secret fields from another process: what is well-formed is read without a wrong step, and
// rebuilding it field by field gives a well-formed block with the same fields.
#include <algorithm>
#include <cstdlib>

#include "secret/fields.hpp"
#include "vault/card.hpp"

using namespace popvault;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

bool same(const SecretFields& a, const SecretFields& b) {
  auto names = a.names();
  auto others = b.names();
  std::sort(names.begin(), names.end());
  std::sort(others.begin(), others.end());
  if (names != others) return false;
  for (const std::string& name : names) {
    const auto left = a.find(name, SecretAccess{});
    const auto right = b.find(name, SecretAccess{});
    if (!left || !right || !equal_constant_time(*left, *right)) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  const bool good = SecretFields::well_formed(input);
  auto fields = SecretFields::parse(SecretBytes::copy_of(input));
  require(good == fields.has_value());
  if (!good) return 0;
  SecretFields rebuilt;
  for (const std::string& name : fields->names()) {
    const auto value = find_field(input, name);
    require(value.has_value());
    require(rebuilt.set(name, *value).has_value());
  }
  require(same(*fields, rebuilt));
  // The checks of a card hold for any fields: once normal, normal for ever.
  if (normalise_card(rebuilt)) {
    const SecretFields once = rebuilt.clone();
    require(normalise_card(rebuilt).has_value());
    require(same(once, rebuilt));
  }
  return 0;
}
