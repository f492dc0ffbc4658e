#include "cli/words_screen.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "cli/alternate_screen.hpp"
#include "crypto/bip39.hpp"
#include "crypto/random.hpp"

namespace popvault::cli {
namespace {

using crypto::kRecoveryWords;

constexpr std::string_view kNoTerminal =
    "there is no terminal for recovery words; use a descriptor (--words-fd N)";

constexpr unsigned kCell = 16;       // "24. " and a word of 8, and space
constexpr unsigned kOtherRows = 10;  // what stands around the table
constexpr int kAsked = 3;
constexpr int kTries = 3;

Result<Terminal> open_terminal() {
  const char* const type = std::getenv("TERM");
  auto terminal = Terminal::open();
  if (!terminal || (type != nullptr && std::string_view(type) == "dumb"))
    return fail(Errc::usage, std::string(kNoTerminal));
  return terminal;
}

// Stopped, the program would leave the words on the screen, so Ctrl-Z does nothing.
Result<AlternateScreen> enter(const Terminal& terminal) {
  return AlternateScreen::enter(terminal.descriptor(), AlternateScreen::Input::lines);
}

// Text that grows in secret memory, up to a limit that is known.
class SecretText {
 public:
  explicit SecretText(std::size_t most) : block_(SecretBytes::zeros(most)) {}
  bool add(std::string_view text) {
    if (text.size() > block_.size() - size_) return false;
    std::copy(text.begin(), text.end(),
              block_.reveal(SecretAccess{}).begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
    return true;
  }
  std::string_view text() const { return as_text(block_.reveal(SecretAccess{}).first(size_)); }
  SecretBytes take() {
    block_.shrink(size_);
    return std::move(block_);
  }

 private:
  SecretBytes block_;
  std::size_t size_ = 0;
};

bool space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::size_t count_words(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!space(text[i]) && (i == 0 || space(text[i - 1]))) ++count;
  return count;
}

// Of words with one space between.
std::array<std::string_view, kRecoveryWords> split(const SecretBytes& words) {
  std::array<std::string_view, kRecoveryWords> out;
  std::string_view rest = as_text(words.reveal(SecretAccess{}));
  for (std::string_view& word : out) {
    word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  }
  return out;
}

Result<SecretBytes> type_words(std::string_view why) {
  PV_ASSIGN(Terminal terminal, open_terminal());
  PV_ASSIGN(AlternateScreen screen, enter(terminal));
  terminal.say("Recovery words to " + std::string(why) +
               ":\n"
               "Type the 24 words in their order, in one line or more; the first four letters\n"
               "of a word are enough. An empty line ends. This screen is wiped afterwards.\n\n");
  SecretText all(kMaxSecretLine);
  while (count_words(all.text()) < kRecoveryWords) {
    const std::string prompt = std::to_string(count_words(all.text()) + 1) + "> ";
    PV_ASSIGN(const SecretBytes line, terminal.ask(prompt, Echo::on, &screen.signals()));
    if (count_words(as_text(line.reveal(SecretAccess{}))) == 0) break;
    if (!all.add(as_text(line.reveal(SecretAccess{}))) || !all.add("\n"))
      return fail(Errc::invalid_field, "the recovery words are over 4 KiB");
  }
  return all.take();
}

// Three places of 24, in order.
std::array<std::size_t, kAsked> places_to_ask() {
  std::array<std::size_t, kAsked> out{};
  for (std::size_t i = 0; i < out.size();) {
    std::uint8_t byte = 0;
    crypto::fill_random({&byte, 1});
    if (byte >= 240) continue;  // a multiple of 24: each place is as likely
    out[i] = byte % kRecoveryWords;
    if (std::find(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(i), out[i]) ==
        out.begin() + static_cast<std::ptrdiff_t>(i))
      ++i;
  }
  std::sort(out.begin(), out.end());
  return out;
}

Status ask_back(Terminal& terminal, EndingSignals& signals, std::size_t place, std::string_view word) {
  const std::string number = std::to_string(place + 1);
  const SecretBytes expected = SecretBytes::copy_of(as_bytes(word));
  for (int i = 0; i < kTries; ++i) {
    PV_ASSIGN(const SecretBytes typed, terminal.ask("Word " + number + ": ", Echo::on, &signals));
    const auto known = crypto::bip39_word(typed);
    if (known && *known == expected) return {};
    terminal.say("That is not word " + number + ".\n");
  }
  return fail(Errc::invalid_field, "word " + number + " is not what was shown; nothing was stored");
}

std::string_view reason_of(crypto::WordsProblem::Kind kind) {
  switch (kind) {
    case crypto::WordsProblem::Kind::unknown_word:
      return "unknown_word";
    case crypto::WordsProblem::Kind::count:
      return "count";
    case crypto::WordsProblem::Kind::checksum:
      break;
  }
  return "checksum";
}

}  // namespace

Result<SecretBytes> ask_words(std::optional<int> fd, std::string_view why) {
  if (fd) return read_secret_all(*fd, kMaxSecretLine, "the recovery words");
  return type_words(why);
}

Status check_words(OwnerSession* session, const SecretBytes& words) {
  const auto problem = crypto::bip39_problem(words);
  if (!problem) return {};
  // The owner learns what is wrong also when the daemon takes no more reports.
  if (session != nullptr)
    (void)session->call("recovery.report", Json::Object{{"reason", reason_of(problem->kind)}});
  return tl::unexpected(problem->error());
}

Status check_words_screen() {
  PV_TRY(open_terminal());
  return {};
}

Status show_words(const SecretBytes& words, std::string_view note) {
  PV_ASSIGN(Terminal terminal, open_terminal());
  const WindowSize size = window_size(terminal.descriptor());
  const SecretBytes table = words_table(words, size.columns);
  const std::string_view lines = as_text(table.reveal(SecretAccess{}));
  const auto rows = std::count(lines.begin(), lines.end(), '\n') + std::count(note.begin(), note.end(), '\n');
  if (table.empty() || rows + kOtherRows > size.rows)
    return fail(Errc::usage, "the window is too small for 24 words: make it 80 columns by 24 rows");
  PV_ASSIGN(AlternateScreen screen, enter(terminal));
  terminal.say("Recovery words: the way in when the passphrase or this machine is lost.\n");
  terminal.say(note);
  terminal.say("Write them on paper, in this order. They are shown this once.\n\n");
  terminal.say(lines);
  terminal.say(
      "\nWhoever has them opens the vault. Press Enter when they are written down; three\n"
      "of them are asked back then. ");
  PV_TRY(terminal.ask("", Echo::on, &screen.signals()));
  screen.clear();
  const auto all = split(words);
  for (const std::size_t place : places_to_ask()) PV_TRY(ask_back(terminal, screen.signals(), place, all[place]));
  return {};
}

SecretBytes words_table(const SecretBytes& words, unsigned columns) {
  const std::size_t across = columns / kCell >= 3 ? 3 : columns / kCell;
  if (across == 0) return {};
  const std::size_t down = kRecoveryWords / across;
  const auto all = split(words);
  SecretText out(kRecoveryWords * (kCell + 1));
  for (std::size_t row = 0; row < down; ++row) {
    for (std::size_t column = 0; column < across; ++column) {
      const std::size_t at = column * down + row;
      const std::string number = std::to_string(at + 1);
      out.add(std::string_view(" ").substr(0, 2 - number.size()));
      out.add(number + ". ");
      out.add(all[at]);
      if (column + 1 < across)
        out.add(std::string_view("            ").substr(0, kCell - 4 - all[at].size()));
    }
    out.add("\n");
  }
  return out.take();
}

}  // namespace popvault::cli
