#include "cli/secret_screen.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/display.hpp"
#include "cli/field_lines.hpp"
#include "vault/card.hpp"
#include "vault/record_kinds.hpp"

namespace popvault::cli {
namespace {

// xterm's control sequences (ECMA-48 and DEC private modes). The wipe erases from the top to the end of the
// display and not with "2J": some terminals copy what that erases into their scrollback.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[J";
constexpr std::string_view kLeave = "\x1b[H\x1b[J\x1b[?25h\x1b[?1049l";

constexpr int kTickMs = 100;

struct Size {
  unsigned rows, columns;
  bool operator==(const Size&) const = default;
};

Size size_of(int terminal) {
  winsize found{};
  if (ioctl(terminal, TIOCGWINSZ, &found) != 0 || found.ws_row == 0 || found.ws_col == 0) return {24, 80};
  return {found.ws_row, found.ws_col};
}

// Bytes on their way to the terminal: one small block of secret memory.
class SecretWriter {
 public:
  explicit SecretWriter(int fd) : fd_(fd), block_(SecretBytes::zeros(4096)) {}
  ~SecretWriter() { flush(); }
  SecretWriter(const SecretWriter&) = delete;
  SecretWriter& operator=(const SecretWriter&) = delete;

  void put(std::string_view text) {
    if (text.size() > block_.size() - used_) flush();
    std::memcpy(block_.reveal(SecretAccess{}).data() + used_, text.data(), text.size());
    used_ += text.size();
  }
  void put_number(std::uint32_t value, std::uint32_t base, unsigned least_digits) {
    unsigned digits = 1;
    for (std::uint32_t rest = value / base; rest != 0; rest /= base) ++digits;
    digits = std::max(digits, least_digits);
    put(std::string_view("0000000000").substr(0, digits));
    std::uint8_t* at = block_.reveal(SecretAccess{}).data() + used_;
    for (; value != 0; value /= base) *--at = static_cast<std::uint8_t>("0123456789ABCDEF"[value % base]);
  }
  // What a terminal does not take within a second is dropped: one that hangs must not hold up the end.
  void flush() {
    ByteView rest = std::as_const(block_).reveal(SecretAccess{}).first(used_);
    while (!rest.empty()) {
      const ssize_t n = write(fd_, rest.data(), rest.size());
      if (n < 0 && (errno == EINTR || (errno == EAGAIN && takes_more()))) continue;
      if (n <= 0) break;
      rest = rest.subspan(static_cast<std::size_t>(n));
    }
    used_ = 0;
  }

 private:
  bool takes_more() const {
    pollfd wait{fd_, POLLOUT, 0};
    return poll(&wait, 1, 1000) == 1;
  }

  int fd_;
  SecretBytes block_;
  std::size_t used_ = 0;
};

// The lines of one picture; the window's last line is kept for the countdown. Nothing is written past a
// line's end or below the window.
class Page {
 public:
  Page(SecretWriter& out, Size size) : out_(out), size_(size) { out_.put("\x1b[?7l"); }

  void begin_line() { go_to(row_ + 1, last_row()); }
  void last_line() { go_to(size_.rows, size_.rows); }
  // Erases what an earlier picture left below.
  void end() { out_.put("\x1b[?7h"); }
  void erase_below() {
    if (row_ < last_row()) begin_line(), out_.put("\x1b[J");
  }
  bool all_fits() const { return all_fits_; }

  void text(std::string_view plain) {
    while (!plain.empty()) plain.remove_prefix(put_glyph(plain));
  }
  void value(ByteView secret) { text(as_text(secret)); }
  // With a space before each group but the first.
  void grouped(ByteView digits, std::initializer_list<std::size_t> groups) {
    for (const std::size_t group : groups) {
      const std::size_t size = std::min(group, digits.size());
      value(digits.first(size));
      digits = digits.subspan(size);
      if (digits.empty()) return;
      text(" ");
    }
    value(digits);
  }

 private:
  unsigned last_row() const { return size_.rows > 1 ? size_.rows - 1 : 1; }
  void go_to(unsigned row, unsigned last) {
    if (row > last) {
      all_fits_ = false;
      full_ = true;
      return;
    }
    full_ = false;
    row_ = row;
    column_ = 0;
    out_.put("\x1b[");
    out_.put_number(row, 10, 1);
    out_.put(";1H\x1b[K");
  }
  // The bytes taken. A character outside ASCII may be two columns wide, so it counts as two.
  std::size_t put_glyph(std::string_view rest) {
    const Glyph glyph = first_glyph(rest);
    const unsigned digits = glyph.value > 0xfffff ? 6 : glyph.value > 0xffff ? 5 : 4;
    const unsigned width = !glyph.valid ? 6 : !glyph.safe ? 4 + digits : glyph.size > 1 ? 2 : 1;
    if (column_ + width > size_.columns && column_ > 0) begin_line();
    if (full_ || width > size_.columns) return all_fits_ = false, glyph.size;
    column_ += width;
    if (glyph.safe) return out_.put(rest.substr(0, glyph.size)), glyph.size;
    out_.put(glyph.valid ? "\\u{" : "\\x{");
    out_.put_number(glyph.value, 16, glyph.valid ? 4 : 2);
    out_.put("}");
    return glyph.size;
  }

  SecretWriter& out_;
  Size size_;
  unsigned row_ = 0, column_ = 0;
  bool full_ = false, all_fits_ = true;
};

void show_field(Page& page, const RevealedRecord& record, std::string_view name) {
  const auto value = record.fields.find(name, SecretAccess{});
  if (!value) return;
  page.begin_line();
  page.text(name);
  page.text(": ");
  if (record.kind == "card" && name == "number") {
    if (card_brand(*value) == "amex") return page.grouped(*value, {4, 6, 5});
    return page.grouped(*value, {4, 4, 4, 4, 4});
  }
  page.value(*value);
}

// Those of the kind in their usual order, then others.
void show_fields(Page& page, const RevealedRecord& record) {
  const auto specs = fields_of(record.kind);
  for (const FieldSpec& spec : specs) show_field(page, record, spec.name);
  for (const std::string& name : record.fields.names())
    if (std::none_of(specs.begin(), specs.end(), [&](const FieldSpec& s) { return s.name == name; }))
      show_field(page, record, name);
}

void show_code(Page& page, const RevealedRecord& record, Seconds now) {
  if (record.kind != "login") return;
  const auto code = current_totp(record.fields, now);
  if (!code) return;
  page.begin_line();
  page.text("code now: ");
  page.value(code->reveal(SecretAccess{}));
  page.text(" (" + std::to_string(totp_seconds_left(record.fields, now)) + " s)");
}

void show_page(int terminal, const RevealedRecord& record, Size size, Seconds now, std::int64_t left) {
  SecretWriter out(terminal);
  Page page(out, size);
  page.begin_line();
  page.text(record.label + " (" + record.kind + ", " + record.id + ")");
  page.begin_line();
  show_code(page, record, now);
  show_fields(page, record);
  page.erase_below();
  const bool all = page.all_fits();
  page.last_line();
  page.text("Gone in " + std::to_string(left) + " s, or at any key.");
  if (!all) page.text(" Not all fits: enlarge the window.");
  page.end();
}

// The terminal while values are on it: alternate screen, no cursor, single keys without echo, no signal that
// ends or stops the program in between.
class Screen {
 public:
  static Result<Screen> enter(int terminal) {
    Screen out;
    if (tcgetattr(terminal, &out.saved_) != 0) return fail_errno(errno, "reading the terminal's settings");
    sigset_t all, ending;
    sigfillset(&all);
    sigemptyset(&ending);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2})
      sigaddset(&ending, signal);
    out.signals_ = Descriptor(signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!out.signals_) return fail_errno(errno, "signalfd");
    sigprocmask(SIG_SETMASK, &all, &out.mask_);
    out.terminal_ = terminal;  // from here on it is left again
    termios raw = out.saved_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(terminal, TCSAFLUSH, &raw) != 0)
      return fail_errno(errno, "changing the terminal's settings");
    SecretWriter(terminal).put(kEnter);
    out.entered_ = true;
    return out;
  }
  ~Screen() {
    if (terminal_ < 0) return;
    if (entered_) SecretWriter(terminal_).put(kLeave);
    tcsetattr(terminal_, TCSAFLUSH, &saved_);  // the rest of a key of many bytes is not for the shell
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
    if (ended_by_ != 0) raise(ended_by_);
  }
  Screen(Screen&& other) noexcept
      : terminal_(std::exchange(other.terminal_, -1)),
        entered_(other.entered_),
        ended_by_(other.ended_by_),
        saved_(other.saved_),
        mask_(other.mask_),
        signals_(std::move(other.signals_)) {}
  Screen& operator=(Screen&&) = delete;

  // Waits a moment; true when a key, a signal or the end of the terminal says that it is over.
  bool over() {
    pollfd wait[] = {{terminal_, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    if (poll(wait, 2, kTickMs) <= 0) return false;
    signalfd_siginfo found{};
    if (read(signals_.get(), &found, sizeof found) == static_cast<ssize_t>(sizeof found))
      ended_by_ = static_cast<int>(found.ssi_signo);
    return true;
  }

 private:
  Screen() = default;
  int terminal_ = -1;
  bool entered_ = false;
  int ended_by_ = 0;
  termios saved_{};
  sigset_t mask_{};
  Descriptor signals_;
};

}  // namespace

Result<Descriptor> open_secret_screen() {
  if (isatty(STDOUT_FILENO) == 0)
    return fail(Errc::usage, "values are shown on a terminal only, and standard output is none");
  const char* const type = std::getenv("TERM");
  if (type != nullptr && std::string_view(type) == "dumb")
    return fail(Errc::usage,
                "values are shown on a terminal's alternate screen only, and this one has none (TERM=dumb)");
  // Opened anew, so that what is changed on the descriptor is not changed for others who have the terminal.
  char name[64];
  if (ttyname_r(STDOUT_FILENO, name, sizeof name) != 0) std::strcpy(name, "/dev/tty");
  Descriptor device(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!device) return fail(Errc::usage, "values are shown on a terminal only, and this one cannot be opened");
  return device;
}

Status show_secrets(int terminal, const RevealedRecord& record, const Clock& clock, int seconds) {
  const std::int64_t end = clock.monotonic_ms() + std::int64_t{seconds} * 1000;
  PV_ASSIGN(Screen screen, Screen::enter(terminal));
  Size drawn_size{0, 0};
  Seconds drawn_at = -1;
  std::int64_t drawn_left = -1;
  do {
    const std::int64_t rest = end - clock.monotonic_ms();
    if (rest <= 0) break;
    const Size size = size_of(terminal);
    const Seconds now = clock.now();
    const std::int64_t left = (rest + 999) / 1000;
    if (size == drawn_size && now == drawn_at && left == drawn_left) continue;
    show_page(terminal, record, size, now, left);
    drawn_size = size;
    drawn_at = now;
    drawn_left = left;
  } while (!screen.over());
  return {};
}

}  // namespace popvault::cli
