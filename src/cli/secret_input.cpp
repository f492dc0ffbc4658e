#include "cli/secret_input.hpp"

#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

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

Result<Line> take_line(int fd, std::string_view what) {
  Line out{SecretBytes::zeros(kMaxSecretLine), false};
  const auto space = out.bytes.reveal(SecretAccess{});
  std::size_t size = 0;
  while (true) {
    std::uint8_t* const at = size < space.size() ? &space[size] : nullptr;
    if (at == nullptr) return fail(Errc::invalid_field, std::string(what) + " is over 4 KiB");
    const int n = read_byte(fd, at);
    if (n < 0) return unreadable(-n, what);
    out.ended = n == 1 && *at == '\n';
    if (n == 0 || out.ended) break;
    ++size;
  }
  out.bytes.shrink(size);
  return out;
}

// The terminal's settings while echo is off, for the signal handler.
int g_terminal = -1;
termios g_saved{};

void restore_and_die(int signal) {
  const int error = errno;
  tcsetattr(g_terminal, TCSAFLUSH, &g_saved);
  errno = error;
  raise(signal);  // SA_RESETHAND: the default action now, at the handler's return
}

constexpr std::array kEnding = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

class HiddenInput {
 public:
  explicit HiddenInput(int terminal) {
    if (tcgetattr(terminal, &g_saved) != 0) return;
    g_terminal = terminal;
    struct sigaction action {};
    action.sa_handler = &restore_and_die;
    action.sa_flags = SA_RESETHAND;
    for (std::size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &action, &old_[i]);
    // A stopped program would leave its shell without echo.
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    sigprocmask(SIG_BLOCK, &stop, &mask_);
    termios hidden = g_saved;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    tcsetattr(terminal, TCSAFLUSH, &hidden);
  }
  ~HiddenInput() {
    if (g_terminal < 0) return;
    tcsetattr(g_terminal, TCSAFLUSH, &g_saved);
    g_terminal = -1;
    for (std::size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &old_[i], nullptr);
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  std::array<struct sigaction, kEnding.size()> old_{};
  sigset_t mask_{};
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

Result<SecretBytes> Terminal::ask(std::string_view prompt, Echo echo) {
  std::optional<HiddenInput> hidden;
  if (echo == Echo::off)
    hidden.emplace(device_.get());  // before the prompt: what is typed early is not shown
  say(prompt);
  auto line = take_line(device_.get(), "the input");
  if (echo == Echo::off) say("\n");
  if (!line) return tl::unexpected(std::move(line.error()));
  if (line->bytes.empty() && !line->ended) return fail(Errc::usage, "the input ended");
  return std::move(line->bytes);
}

}  // namespace popvault::cli
