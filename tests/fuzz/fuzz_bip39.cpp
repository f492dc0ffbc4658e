// Recovery words: what is read is written back as words that mean the same, and an error never repeats a
// word.
#include <cstdlib>

#include "crypto/bip39.hpp"

using namespace popvault;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const SecretBytes typed = SecretBytes::copy_of({data, size});
  const auto entropy = crypto::bip39_entropy(typed);
  const auto problem = crypto::bip39_problem(typed);
  if (entropy.has_value() == problem.has_value()) std::abort();
  if (entropy) {
    const SecretBytes words = crypto::bip39_words(*entropy);
    if (!(crypto::bip39_entropy(words).value() == *entropy)) std::abort();
  } else if (entropy.error().code != Errc::words_invalid ||
             problem->error().detail != entropy.error().detail) {
    std::abort();
  }
  // Any 32 bytes have words.
  if (size >= 32) {
    const SecretBytes bytes = SecretBytes::copy_of({data, 32});
    if (!(crypto::bip39_entropy(crypto::bip39_words(bytes)).value() == bytes)) std::abort();
  }
  if (const auto word = crypto::bip39_word(typed); word && !(crypto::bip39_word(*word).value() == *word))
    std::abort();
  return 0;
}
