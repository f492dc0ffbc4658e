#include "cli/alternate_screen.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace popvault::cli {
namespace {

// xterm's control sequences (ECMA-48 and DEC private modes). The wipe erases from the top to the end of the display and
// not with "2J": some terminals copy what that erases into their scrollback.
constexpr std::string_view kEnter = "\x1b[?1049h";
constexpr std::string_view kHideCursor = "\x1b[?25l";
constexpr std::string_view kShowCursor = "\x1b[?25h";
constexpr std::string_view kClear = "\x1b[H\x1b[J";
constexpr std::string_view kLeave = "\x1b[?1049l";

bool takes_more(int terminal) noexcept {
  pollfd wait{terminal, POLLOUT, 0};
  return poll(&wait, 1, 1000) == 1;
}

}  // namespace

WindowSize window_size(int terminal) {
  winsize found{};
  if (ioctl(terminal, TIOCGWINSZ, &found) != 0 || found.ws_row == 0 || found.ws_col == 0) return {24, 80};
  return {found.ws_row, found.ws_col};
}

void write_to_terminal(int terminal, ByteView bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t n = write(terminal, bytes.data(), bytes.size());
    if (n < 0 && (errno == EINTR || (errno == EAGAIN && takes_more(terminal)))) continue;
    if (n <= 0) return;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void write_to_terminal(int terminal, std::string_view text) noexcept { write_to_terminal(terminal, as_bytes(text)); }

Result<Descriptor> open_own_terminal(std::string_view what) {
  const std::string start(what);
  if (isatty(STDOUT_FILENO) == 0) return fail(Errc::usage, start + " on a terminal only, and standard output is none");
  const char* const type = std::getenv("TERM");
  if (type != nullptr && std::string_view(type) == "dumb")
    return fail(Errc::usage, start + " on a terminal's alternate screen only, and this one has none (TERM=dumb)");
  // Opened anew, so that what is changed on the descriptor is not changed for others who have the terminal.
  char name[64];
  if (ttyname_r(STDOUT_FILENO, name, sizeof name) != 0) std::strcpy(name, "/dev/tty");
  Descriptor device(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!device) return fail(Errc::usage, start + " on a terminal only, and this one cannot be opened");
  return device;
}

Result<AlternateScreen> AlternateScreen::enter(int terminal, Input input, std::initializer_list<int> also) {
  termios before{};
  if (tcgetattr(terminal, &before) != 0) return fail_errno(errno, "reading the terminal's settings");
  PV_ASSIGN(EndingSignals signals, EndingSignals::hold(also));
  AlternateScreen out(terminal, input, std::move(signals));
  out.before_ = out.during_ = before;
  if (input != Input::lines) {
    tcflag_t gone = ECHO | ECHONL | ICANON | IEXTEN;
    if (input == Input::raw) gone |= ISIG;
    out.during_.c_lflag &= ~gone;
    out.during_.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
    out.during_.c_cc[VMIN] = 1;
    out.during_.c_cc[VTIME] = 0;
    if (tcsetattr(terminal, TCSAFLUSH, &out.during_) != 0) {
      const int error = errno;
      out.terminal_ = -1;
      return fail_errno(error, "changing the terminal's settings");
    }
  }
  out.enter_again();
  return out;
}

AlternateScreen::AlternateScreen(AlternateScreen&& other) noexcept
    : terminal_(std::exchange(other.terminal_, -1)),
      input_(other.input_),
      signals_(std::move(other.signals_)),
      before_(other.before_),
      during_(other.during_) {}

AlternateScreen::~AlternateScreen() {
  if (terminal_ >= 0) leave();
}

void AlternateScreen::enter_again() noexcept {
  if (input_ != Input::lines) tcsetattr(terminal_, TCSANOW, &during_);
  write_to_terminal(terminal_, kEnter);
  if (input_ != Input::lines) write_to_terminal(terminal_, kHideCursor);
  clear();
}

void AlternateScreen::leave() noexcept {
  clear();
  if (input_ != Input::lines) write_to_terminal(terminal_, kShowCursor);
  write_to_terminal(terminal_, kLeave);
  // What was typed ahead, and the rest of a key of many bytes, is not for the shell.
  if (input_ == Input::lines) tcflush(terminal_, TCIFLUSH);
  else tcsetattr(terminal_, TCSAFLUSH, &before_);
}

void AlternateScreen::clear() noexcept { write_to_terminal(terminal_, kClear); }

void AlternateScreen::stop_here() noexcept {
  leave();
  signals_.let_through(SIGTSTP);
  enter_again();
}

void AlternateScreen::read_lines() noexcept {
  tcsetattr(terminal_, TCSANOW, &before_);
  write_to_terminal(terminal_, kShowCursor);
}

void AlternateScreen::read_keys() noexcept {
  tcsetattr(terminal_, TCSANOW, &during_);
  write_to_terminal(terminal_, kHideCursor);
}

}  // namespace popvault::cli
