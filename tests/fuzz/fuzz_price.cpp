// A page's text as an amount: never negative, never more digits than there were, and its plain form is itself.
#include <cstdlib>

#include "injector/challenge.hpp"
#include "injector/price.hpp"

using namespace popvault;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned exponent = data[0] % 5;
  const std::string_view text = as_text(ByteView(data, size).subspan(1));
  const auto amount = injector::parse_amount(text, exponent);
  if (amount) {
    if (*amount < 0 || *amount > 999'999'999'999'999) std::abort();
    std::string plain = std::to_string(*amount);
    if (exponent > 0) {
      if (plain.size() <= exponent) plain.insert(0, exponent + 1 - plain.size(), '0');
      plain.insert(plain.size() - exponent, ".");
    }
    if (injector::parse_amount(plain, exponent) != amount) std::abort();
  }
  const std::size_t half = text.size() / 2;
  injector::is_challenge(text.substr(0, half), text.substr(half), {});
  return 0;
}
