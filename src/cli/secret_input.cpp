#include "cli/secret_input.hpp"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

namespace popvault::cli {
namespace {

// 1: one byte; 0: the end; else -errno.
int read_byte(int fd, std::uint8_t* to) {
  while (true) {
    const ssize_t n = read(fd, to, 1);
    if (n >= 0) return static_cast<int>(n);
    if (errno != EINTR) return -errno;
  }
}

tl::unexpected<Error> unreadable(int error, std::string_view what) {
  if (error == EBADF)
    return fail(Errc::usage, "the descriptor for the " + std::string(what) + " is not open");
  return fail_errno(error, "reading the " + std::string(what));
}

struct Line {
  SecretBytes bytes;
  bool ended = false;  // a newline was there
};

// With `signals` the wait also ends when one asks the program to end.
Result<Line> take_line(int fd, std::string_view what, EndingSignals* signals = nullptr) {
  Line out{SecretBytes::zeros(kMaxSecretLine), false};
  const auto space = out.bytes.reveal(SecretAccess{});
  std::size_t size = 0;
  while (true) {
    std::uint8_t* const at = size < space.size() ? &space[size] : nullptr;
    if (at == nullptr) return fail(Errc::invalid_field, std::string(what) + " is over 4 KiB");
    if (signals != nullptr && !signals->wait_for(fd)) return fail(Errc::usage, "interrupted");
    const int n = read_byte(fd, at);
    if (n < 0) return unreadable(-n, what);
    out.ended = n == 1 && *at == '\n';
    if (n == 0 || out.ended) break;
    ++size;
  }
  out.bytes.shrink(size);
  return out;
}

// Without echo from here to the destructor, which also lets the signals through that were held back meanwhile.
class HiddenInput {
 public:
  static Result<HiddenInput> begin(int terminal) {
    PV_ASSIGN(EndingSignals signals, EndingSignals::hold());
    HiddenInput out(std::move(signals));
    if (tcgetattr(terminal, &out.saved_) != 0) return out;
    termios hidden = out.saved_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    if (tcsetattr(terminal, TCSAFLUSH, &hidden) == 0) out.terminal_ = terminal;
    return out;
  }
  ~HiddenInput() {
    if (terminal_ >= 0) tcsetattr(terminal_, TCSAFLUSH, &saved_);
  }
  HiddenInput(HiddenInput&& other) noexcept
      : signals_(std::move(other.signals_)), terminal_(std::exchange(other.terminal_, -1)), saved_(other.saved_) {}
  HiddenInput& operator=(HiddenInput&&) = delete;

  EndingSignals& signals() noexcept { return signals_; }

 private:
  explicit HiddenInput(EndingSignals signals) noexcept : signals_(std::move(signals)) {}
  EndingSignals signals_;  // the last to go
  int terminal_ = -1;
  termios saved_{};
};

}  // namespace

Result<SecretBytes> read_secret_line(int fd, std::string_view what) {
  PV_ASSIGN(Line line, take_line(fd, what));
  return std::move(line.bytes);
}

Result<SecretBytes> read_secret_all(int fd, std::size_t limit, std::string_view what) {
  SecretBytes out = SecretBytes::zeros(limit + 1);
  const auto space = out.reveal(SecretAccess{});
  std::size_t size = 0;
  while (size <= limit) {
    const ssize_t n = read(fd, space.data() + size, space.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable(errno, what);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > limit) return fail(Errc::invalid_field, std::string(what) + " are too long");
  out.shrink(size);
  return out;
}

Result<Terminal> Terminal::open() {
  Descriptor device(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!device) return fail(Errc::usage, "there is no terminal to ask on");
  return Terminal(std::move(device));
}

void Terminal::say(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = write(device_.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

Result<SecretBytes> Terminal::ask(std::string_view prompt, Echo echo, EndingSignals* signals) {
  std::optional<HiddenInput> hidden;
  if (echo == Echo::off) {  // before the prompt: what is typed early is not shown
    PV_ASSIGN(HiddenInput begun, HiddenInput::begin(device_.get()));
    hidden.emplace(std::move(begun));
    signals = &hidden->signals();
  }
  say(prompt);
  auto line = take_line(device_.get(), "the input", signals);
  if (echo == Echo::off) say("\n");
  if (!line) return tl::unexpected(std::move(line.error()));
  if (line->bytes.empty() && !line->ended) return fail(Errc::usage, "the input ended");
  return std::move(line->bytes);
}

}  // namespace popvault::cli
