// Recovery words on their way out and in: on the terminal's alternate screen, or through a descriptor.
//
// The alternate screen has no scrollback; it is wiped and left at the end, also when a signal ends the
// program, and what was typed ahead is dropped then. Ctrl-Z does nothing meanwhile. Words go between secret
// memory and the terminal by read(2) and write(2). One thread, one screen at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/owner_session.hpp"
#include "cli/secret_input.hpp"

namespace popvault::cli {

// The words as they were given, unchecked: from the descriptor to its end (at most 4 KiB), or typed, in one
// line or more, up to 24 words or an empty line. `why` ends "Recovery words to ". No terminal is usage.
Result<SecretBytes> ask_words(std::optional<int> fd, std::string_view why);

// Fails with words_invalid, after telling the daemon of `session`, where there is one, what kind of fault it
// was.
Status check_words(OwnerSession* session, const SecretBytes& words);

// Whether new words can be shown here; fails with usage.
Status check_words_screen();
// Shows the words once, with `note` (whole lines) above them, then asks three of them back. Fails with
// invalid_field when one is not known after three tries, and with usage when the window is too small.
Status show_words(const SecretBytes& words, std::string_view note);

// The words as a numbered table for so many columns; empty when those are too few.
SecretBytes words_table(const SecretBytes& words, unsigned columns);

}  // namespace popvault::cli
