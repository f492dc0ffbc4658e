#include "cli/secret_screen.hpp"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/display.hpp"
#include "cli/alternate_screen.hpp"
#include "cli/field_lines.hpp"
#include "vault/card.hpp"
#include "vault/record_kinds.hpp"

namespace popvault::cli {
namespace {

constexpr int kTickMs = 100;

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
  void flush() {
    write_to_terminal(fd_, std::as_const(block_).reveal(SecretAccess{}).first(used_));
    used_ = 0;
  }

 private:
  int fd_;
  SecretBytes block_;
  std::size_t used_ = 0;
};

// The lines of one picture; the window's last line is kept for the countdown. Nothing is written past a
// line's end or below the window.
class Page {
 public:
  Page(SecretWriter& out, WindowSize size) : out_(out), size_(size) { out_.put("\x1b[?7l"); }

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
  WindowSize size_;
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

void show_page(int terminal, const RevealedRecord& record, WindowSize size, Seconds now, std::int64_t left) {
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

// Waits a moment; true when a key, a signal or the end of the terminal says that it is over.
bool over(int terminal, EndingSignals& signals) {
  pollfd wait[] = {{terminal, POLLIN, 0}, {signals.descriptor(), POLLIN, 0}};
  if (poll(wait, 2, kTickMs) <= 0) return false;
  (void)signals.take();
  return true;
}

}  // namespace

Result<Descriptor> open_secret_screen() { return open_own_terminal("values are shown"); }

Status show_secrets(int terminal, const RevealedRecord& record, const Clock& clock, int seconds) {
  const std::int64_t end = clock.monotonic_ms() + std::int64_t{seconds} * 1000;
  PV_ASSIGN(AlternateScreen screen, AlternateScreen::enter(terminal, AlternateScreen::Input::raw));
  WindowSize drawn_size{0, 0};
  Seconds drawn_at = -1;
  std::int64_t drawn_left = -1;
  do {
    const std::int64_t rest = end - clock.monotonic_ms();
    if (rest <= 0) break;
    const WindowSize size = window_size(terminal);
    const Seconds now = clock.now();
    const std::int64_t left = (rest + 999) / 1000;
    if (size == drawn_size && now == drawn_at && left == drawn_left) continue;
    show_page(terminal, record, size, now, left);
    drawn_size = size;
    drawn_at = now;
    drawn_left = left;
  } while (!over(terminal, screen.signals()));
  return {};
}

}  // namespace popvault::cli
