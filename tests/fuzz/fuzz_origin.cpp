// Text from a page or an agent as an origin: what is accepted has one form, and that form is its own origin.
#include <cstdlib>

#include "base/bytes.hpp"
#include "base/origin.hpp"

using namespace popvault;

namespace {

void check(const Result<Origin>& origin) {
  if (!origin) {
    if (origin.error().code != Errc::invalid_field) std::abort();
    return;
  }
  const auto again = Origin::parse(origin->text());
  if (!again || !(*again == *origin) || again->port() != origin->port()) std::abort();
  const auto of_url = Origin::of_url(origin->text() + "/path?query#fragment");
  if (!of_url || !(*of_url == *origin)) std::abort();
  for (const char c : origin->text())
    if (c <= ' ' || c == '@' || c == '#' || c == '?' || c == '\\' || static_cast<unsigned char>(c) > 0x7e)
      std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text(ByteView(data, size));
  check(Origin::parse(text));
  check(Origin::of_url(text));
  return 0;
}
