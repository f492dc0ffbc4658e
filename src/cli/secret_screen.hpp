// A record's values on the terminal, for a moment.
//
// They are shown on the terminal's alternate screen, which has no scrollback, and nothing there ever scrolls:
// what does not fit into the window is left out and said so. When the time is up, at any key, and when a
// signal asks the program to end, that screen is wiped and left, and cursor and settings are as they were; a
// signal then has its usual effect. No signal can stop the program meanwhile (but SIGKILL and SIGSTOP, which
// nobody can hold off).
//
// Values go from secret memory to the terminal by write(2). What could move the cursor or hide is shown as
// \u{XXXX}, bytes that are no UTF-8 as \x{XX}; a backslash as it is. One thread; one screen at a time.
#pragma once

#include <string>

#include "base/result.hpp"
#include "os/clock.hpp"
#include "os/descriptor.hpp"
#include "secret/fields.hpp"

namespace popvault::cli {

constexpr int kRevealSeconds = 30;

struct RevealedRecord {
  std::string id, kind, label;
  SecretFields fields;
};

// The terminal that standard output is. Fails with usage where it is none, and on a terminal of type "dumb".
Result<Descriptor> open_secret_screen();

// Returns when it is over. Fails with io_error when the terminal's settings cannot be changed; nothing was
// shown then.
Status show_secrets(int terminal, const RevealedRecord& record, const Clock& clock = system_clock(),
                    int seconds = kRevealSeconds);

}  // namespace popvault::cli
