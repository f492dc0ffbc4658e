// Passphrases: asked for, chosen, judged.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::cli {

constexpr std::size_t kShortestPassphrase = 8;  // characters

// From the descriptor, or from the terminal with "Passphrase to <why>: ". No descriptor and no terminal is
// proof_required.
Result<SecretBytes> ask_passphrase(std::optional<int> fd, std::string_view why);

// A new one for `what`: at least 8 characters (invalid_field); on a terminal asked for twice, with an
// estimate. `option` is the one that gives the descriptor.
Result<SecretBytes> choose_passphrase(std::optional<int> fd, std::string_view what,
                                      std::string_view option = "--passphrase-fd");

// Code points of UTF-8; a byte that is none counts as one.
std::size_t characters_of(const SecretBytes& text) noexcept;

// An upper bound in bits: length times the logarithm of the kinds of characters seen, where a character that
// repeats or continues the one before it (aaa, 123, cba) adds one bit only. It knows no dictionary.
unsigned most_bits(const SecretBytes& passphrase) noexcept;
// One line for people, which says what the number is worth.
std::string strength_line(unsigned bits);

}  // namespace popvault::cli
