#include "crypto/bip39.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

#include "crypto/digest.hpp"
#include "crypto/kdf.hpp"
#include "secret/arena.hpp"

namespace popvault::crypto {
namespace {

constexpr char kWords[][9] = {
#include "crypto/bip39_english.inc"
};
constexpr std::size_t kBits = 11;  // of one word
static_assert(std::size(kWords) == std::size_t{1} << kBits);
constexpr std::size_t kTold = 4;     // letters that tell a word from every other
constexpr std::size_t kLongest = 8;  // letters
constexpr std::uint32_t kRounds = 2048;
constexpr std::string_view kSalt = "mnemonic";

bool space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// As std::string_view::compare, the first one in lower case.
int compare(std::string_view typed, std::string_view word) {
  const std::size_t both = std::min(typed.size(), word.size());
  for (std::size_t i = 0; i < both; ++i)
    if (const char c = lowered(typed[i]); c != word[i]) return c < word[i] ? -1 : 1;
  return typed.size() == word.size() ? 0 : typed.size() < word.size() ? -1 : 1;
}

std::optional<std::size_t> index_of(std::string_view typed) {
  const auto at = std::lower_bound(std::begin(kWords), std::end(kWords), typed,
                                   [](const char* word, std::string_view t) { return compare(t, word) > 0; });
  if (at == std::end(kWords)) return std::nullopt;
  const std::string_view word(*at);
  const bool short_form = typed.size() == kTold && compare(typed, word.substr(0, kTold)) == 0;
  if (!short_form && compare(typed, word) != 0) return std::nullopt;
  return static_cast<std::size_t>(at - std::begin(kWords));
}

// Takes the next word; empty at the end.
std::string_view next_word(std::string_view& rest) {
  while (!rest.empty() && space(rest.front())) rest.remove_prefix(1);
  std::size_t size = 0;
  while (size < rest.size() && !space(rest[size])) ++size;
  const std::string_view word = rest.substr(0, size);
  rest.remove_prefix(size);
  return word;
}

// The 8 bits behind the entropy.
std::uint8_t checksum_of(ByteView entropy) {
  Digest digest = sha256(entropy);
  const std::uint8_t out = digest.bytes[0];
  wipe(digest.bytes.data(), digest.bytes.size());
  return out;
}

void put_bits(std::span<std::uint8_t> out, std::size_t word, std::size_t value) {
  for (std::size_t i = 0; i < kBits; ++i) {
    const std::size_t bit = word * kBits + i;
    if ((value >> (kBits - 1 - i) & 1) != 0)
      out[bit / 8] = static_cast<std::uint8_t>(out[bit / 8] | 0x80U >> bit % 8);
  }
}

std::size_t get_bits(ByteView in, std::size_t word) {
  std::size_t value = 0;
  for (std::size_t bit = word * kBits; bit < (word + 1) * kBits; ++bit)
    value = value << 1 | (in[bit / 8] >> (7 - bit % 8) & 1U);
  return value;
}

// Entropy and checksum, 33 bytes, into `out`; or what is wrong.
std::optional<WordsProblem> decode(const SecretBytes& words, SecretBytes& out) {
  using Kind = WordsProblem::Kind;
  out = SecretBytes::zeros(kRecoveryEntropy + 1);
  const std::span<std::uint8_t> bits = out.reveal(SecretAccess{});
  std::string_view rest = as_text(words.reveal(SecretAccess{}));
  std::size_t count = 0;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    const auto index = index_of(word);
    if (!index) return WordsProblem{Kind::unknown_word, count + 1};
    if (count < kRecoveryWords) put_bits(bits, count, *index);
    ++count;
  }
  if (count != kRecoveryWords) return WordsProblem{Kind::count, count};
  if (checksum_of(bits.first(kRecoveryEntropy)) != bits[kRecoveryEntropy])
    return WordsProblem{Kind::checksum, 0};
  return std::nullopt;
}

SecretBytes pbkdf2_salt(ByteView passphrase) {
  SecretBytes out = SecretBytes::zeros(kSalt.size() + passphrase.size());
  std::uint8_t* const at = out.reveal(SecretAccess{}).data();
  std::copy(passphrase.begin(), passphrase.end(), std::copy(kSalt.begin(), kSalt.end(), at));
  return out;
}

}  // namespace

Error WordsProblem::error() const {
  const std::string n = std::to_string(number);
  switch (kind) {
    case Kind::unknown_word:
      return {Errc::words_invalid, "word " + n + " is not in the list"};
    case Kind::count:
      return {Errc::words_invalid,
              number == 1 ? "there is 1 word and not 24" : "there are " + n + " words and not 24"};
    case Kind::checksum:
      break;
  }
  return {Errc::words_invalid, "the checksum does not fit: a word is wrong or two are swapped"};
}

std::optional<WordsProblem> bip39_problem(const SecretBytes& words) {
  SecretBytes bits;
  return decode(words, bits);
}

Result<SecretBytes> bip39_entropy(const SecretBytes& words) {
  SecretBytes bits;
  if (const auto problem = decode(words, bits)) return tl::unexpected(problem->error());
  bits.shrink(kRecoveryEntropy);
  return bits;
}

SecretBytes bip39_words(const SecretBytes& entropy) {
  if (entropy.size() != kRecoveryEntropy) std::abort();
  SecretBytes bits = SecretBytes::zeros(kRecoveryEntropy + 1);
  const std::span<std::uint8_t> all = bits.reveal(SecretAccess{});
  const ByteView bytes = entropy.reveal(SecretAccess{});
  std::copy(bytes.begin(), bytes.end(), all.begin());
  all[kRecoveryEntropy] = checksum_of(bytes);
  SecretBytes out = SecretBytes::zeros(kRecoveryWords * (kLongest + 1));
  const std::span<std::uint8_t> text = out.reveal(SecretAccess{});
  std::size_t size = 0;
  for (std::size_t i = 0; i < kRecoveryWords; ++i) {
    if (i > 0) text[size++] = ' ';
    for (const char c : std::string_view(kWords[get_bits(all, i)]))
      text[size++] = static_cast<std::uint8_t>(c);
  }
  out.shrink(size);
  return out;
}

SecretBytes bip39_seed(const SecretBytes& words, ByteView passphrase) {
  const auto entropy = bip39_entropy(words);
  if (!entropy) std::abort();
  const SecretBytes salt = pbkdf2_salt(passphrase);
  auto seed = pbkdf2_sha512(bip39_words(*entropy), salt.reveal(SecretAccess{}), kRounds, 64);
  if (!seed) std::abort();
  return std::move(*seed);
}

std::optional<SecretBytes> bip39_word(const SecretBytes& typed) {
  std::string_view rest = as_text(typed.reveal(SecretAccess{}));
  const auto index = index_of(next_word(rest));
  if (!index || !next_word(rest).empty()) return std::nullopt;
  return SecretBytes::copy_of(as_bytes(kWords[*index]));
}

}  // namespace popvault::crypto
