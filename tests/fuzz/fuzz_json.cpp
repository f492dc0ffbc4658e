// A message from a peer: what is accepted is written in a form that is accepted again with the same value,
// and that form is a fixed point.
#include <cstdlib>

#include "base/bytes.hpp"
#include "rpc/json.hpp"

using namespace popvault;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto value = Json::parse(as_text(ByteView(data, size)));
  if (!value) {
    if (value.error().code != Errc::parse_error && value.error().code != Errc::too_large) std::abort();
    return 0;
  }
  const std::string text = value->dump();
  // Escapes of control characters may make the text longer than a message may be.
  const auto again = Json::parse(text, {8 * size + 64, 16});
  if (!again || !(*again == *value) || again->dump() != text) std::abort();
  const auto pretty = Json::parse(value->pretty(), {64 * size + 64, 16});
  if (!pretty || !(*pretty == *value)) std::abort();
  return 0;
}
