// The terminal's alternate screen: it has no scrollback, and is wiped and left at the end, also when a signal ends the
// program (cli/ending_signals.hpp). One thread, one at a time.
#pragma once

#include <termios.h>

#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "cli/ending_signals.hpp"

namespace popvault::cli {

struct WindowSize {
  unsigned rows, columns;
  bool operator==(const WindowSize&) const = default;
};
// 24 by 80 where the terminal does not tell.
WindowSize window_size(int terminal);

// What a terminal does not take within a second is dropped: one that hangs must not hold up the end.
void write_to_terminal(int terminal, ByteView bytes) noexcept;
void write_to_terminal(int terminal, std::string_view text) noexcept;

// The terminal that standard output is, opened anew and not blocking. Fails with usage where it is none and on one of type
// "dumb"; `what` begins the sentence ("values are shown").
Result<Descriptor> open_own_terminal(std::string_view what);

class AlternateScreen {
 public:
  // How keys come: whole lines with their echo and a cursor; or single ones without, where Ctrl-C is a key like others
  // (raw), or asks the program to end and Ctrl-Z to stop as usual (keys).
  enum class Input : std::uint8_t { lines, raw, keys };

  // The descriptor stays the caller's and outlives this. Fails with io_error; the terminal is then as it was.
  static Result<AlternateScreen> enter(int terminal, Input input, std::initializer_list<int> also = {});
  ~AlternateScreen();
  AlternateScreen(AlternateScreen&& other) noexcept;
  AlternateScreen& operator=(AlternateScreen&&) = delete;

  EndingSignals& signals() noexcept { return signals_; }
  // Empties it.
  void clear() noexcept;
  // Leaves it, stops the program as Ctrl-Z does, and enters it again when the program goes on.
  void stop_here() noexcept;
  // After somebody else changed the terminal's settings.
  void enter_again() noexcept;
  // Back to how the terminal reads lines (a prompt on this screen), and on with single keys.
  void read_lines() noexcept;
  void read_keys() noexcept;

 private:
  AlternateScreen(int terminal, Input input, EndingSignals signals) noexcept
      : terminal_(terminal), input_(input), signals_(std::move(signals)) {}
  void leave() noexcept;

  int terminal_;
  Input input_;
  EndingSignals signals_;  // the last to go
  termios before_{}, during_{};
};

}  // namespace popvault::cli
