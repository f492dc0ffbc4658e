// Secrets on their way in: from a descriptor that the caller named, or from the terminal.
//
// Bytes go by read(2) straight into secret memory: no stream, no string, no buffer of the C library. What is
// typed without echo leaves the terminal as it was, also when Ctrl-C ends the program.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "cli/ending_signals.hpp"
#include "os/descriptor.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::cli {

constexpr std::size_t kMaxSecretLine = 4 * 1024;

// One line, or what there is before the end; the newline is taken and not given. `what` names it in errors.
// Over 4 KiB is invalid_field; an unreadable descriptor is io_error.
Result<SecretBytes> read_secret_line(int fd, std::string_view what);
// Everything up to the end, at most `limit` bytes (invalid_field).
Result<SecretBytes> read_secret_all(int fd, std::size_t limit, std::string_view what);

enum class Echo : std::uint8_t { off, on };

class Terminal {
 public:
  // The controlling terminal. Fails with usage when there is none.
  static Result<Terminal> open();
  // A terminal that is open already.
  explicit Terminal(Descriptor device) noexcept : device_(std::move(device)) {}

  // Prints the prompt and reads one line. The end of input without a line is canceled as `usage`. Where signals are held
  // back already (a screen's), `signals` ends the wait.
  Result<SecretBytes> ask(std::string_view prompt, Echo echo, EndingSignals* signals = nullptr);
  void say(std::string_view text) noexcept;
  int descriptor() const noexcept { return device_.get(); }

 private:
  Descriptor device_;
};

}  // namespace popvault::cli
