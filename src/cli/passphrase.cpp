#include "cli/passphrase.hpp"

#include <cmath>

#include "cli/secret_input.hpp"

namespace popvault::cli {
namespace {

// How many characters there are of the kinds that occur.
unsigned alphabet_of(ByteView text) {
  bool lower = false, upper = false, digit = false, mark = false, other = false;
  for (const std::uint8_t c : text) {
    lower = lower || (c >= 'a' && c <= 'z');
    upper = upper || (c >= 'A' && c <= 'Z');
    digit = digit || (c >= '0' && c <= '9');
    other = other || c >= 0x80;
    mark =
        mark || (c < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'));
  }
  return (lower ? 26U : 0U) + (upper ? 26U : 0U) + (digit ? 10U : 0U) + (mark ? 33U : 0U) +
         (other ? 64U : 0U);
}

Status check_length(const SecretBytes& passphrase) {
  if (characters_of(passphrase) >= kShortestPassphrase) return {};
  return fail(Errc::invalid_field, "passphrase has fewer than 8 characters");
}

}  // namespace

Result<SecretBytes> ask_passphrase(std::optional<int> fd, std::string_view why) {
  if (fd) return read_secret_line(*fd, "passphrase");
  auto terminal = Terminal::open();
  if (!terminal) return fail(Errc::proof_required, "there is no terminal to ask on");
  PV_ASSIGN(SecretBytes passphrase, terminal->ask("Passphrase to " + std::string(why) + ": ", Echo::off));
  if (passphrase.empty()) return fail(Errc::usage, "no passphrase was typed");
  return passphrase;
}

Result<SecretBytes> choose_passphrase(std::optional<int> fd, std::string_view what, std::string_view option) {
  if (fd) {
    PV_ASSIGN(SecretBytes given, read_secret_line(*fd, "passphrase"));
    PV_TRY(check_length(given));
    return given;
  }
  auto terminal = Terminal::open();
  if (!terminal)
    return fail(Errc::usage,
                "there is no terminal to ask on; use a descriptor (" + std::string(option) + " N)");
  PV_ASSIGN(SecretBytes first, terminal->ask("New passphrase for " + std::string(what) + ": ", Echo::off));
  PV_TRY(check_length(first));
  terminal->say(strength_line(most_bits(first)) + "\n");
  PV_ASSIGN(const SecretBytes second, terminal->ask("The same again: ", Echo::off));
  if (!(first == second)) return fail(Errc::invalid_field, "passphrase: the two are not the same");
  return first;
}

std::size_t characters_of(const SecretBytes& text) noexcept {
  std::size_t count = 0;
  for (const std::uint8_t byte : text.reveal(SecretAccess{})) count += (byte & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

unsigned most_bits(const SecretBytes& passphrase) noexcept {
  const ByteView text = passphrase.reveal(SecretAccess{});
  const unsigned alphabet = alphabet_of(text);
  if (alphabet == 0) return 0;
  const double each = std::log2(alphabet);
  double bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xc0) == 0x80) continue;  // the rest of a character
    const int step = i == 0 ? 99 : static_cast<int>(text[i]) - static_cast<int>(text[i - 1]);
    bits += step >= -1 && step <= 1 ? 1 : each;
  }
  return static_cast<unsigned>(bits);
}

std::string strength_line(unsigned bits) {
  std::string out =
      "At most " + std::to_string(bits) + " bits, counted from length and kinds of characters only; ";
  if (bits < 50)
    return out + "that is weak: a copy of the file could be tried out. Six random words are better.";
  return out + "words, names and dates are worth much less.";
}

}  // namespace popvault::cli
