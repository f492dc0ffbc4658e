// 24 words for 256 bits (BIP-39, English), entirely in secret memory.
//
// Words are written in lower case with one space between. They are read in either case, with any ASCII white
// space between and around, and a word may be its first four letters, which no two words share. Any thread.
//
// Constants of BIP-39: 11 bits a word, 8 bits of checksum (the first of SHA-256), 2 048 rounds of
// PBKDF2-HMAC-SHA512 with the salt "mnemonic" || passphrase.
#pragma once

#include <optional>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

constexpr std::size_t kRecoveryWords = 24;
constexpr std::size_t kRecoveryEntropy = 32;

struct WordsProblem {
  enum class Kind : std::uint8_t { unknown_word, count, checksum };
  Kind kind;
  std::size_t number;  // unknown_word: which one, from 1; count: how many there are
  // words_invalid, which says the same in words and never repeats one.
  Error error() const;
};
// None when the words are whole. An unknown word is told before a wrong count.
std::optional<WordsProblem> bip39_problem(const SecretBytes& words);

// 32 bytes; another size aborts.
SecretBytes bip39_words(const SecretBytes& entropy);
// The 32 bytes. Fails with words_invalid.
Result<SecretBytes> bip39_entropy(const SecretBytes& words);
// The 64 bytes that BIP-39 makes of the words, however they were written. Words with a problem abort: check
// first.
SecretBytes bip39_seed(const SecretBytes& words, ByteView passphrase = {});

// The word that this is, written out; none when it is no word. White space around it and case do not count.
std::optional<SecretBytes> bip39_word(const SecretBytes& typed);

}  // namespace popvault::crypto
