// The bytes that go to a terminal; what they look like there, signals and the whole command are in
// tests/process/test_reveal.py.
#include "cli/secret_screen.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace popvault::cli {
namespace {

class Pty {
 public:
  explicit Pty(unsigned short rows = 24, unsigned short columns = 80)
      : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    EXPECT_EQ(grantpt(master_.get()), 0);
    EXPECT_EQ(unlockpt(master_.get()), 0);
    slave_ = Descriptor(open(ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    const winsize size{rows, columns, 0, 0};
    EXPECT_EQ(ioctl(slave_.get(), TIOCSWINSZ, &size), 0);
    reader_ = std::thread([this] { read_all(); });
  }
  ~Pty() { finish(); }
  int slave() const { return slave_.get(); }
  void press(std::string_view keys) {
    EXPECT_EQ(write(master_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  // Everything that was written, once the terminal is closed.
  std::string finish() {
    slave_.reset();
    if (reader_.joinable()) reader_.join();
    return text_;
  }

 private:
  void read_all() {
    char part[4096];
    for (ssize_t n = 1; n > 0;) {
      n = read(master_.get(), part, sizeof part);
      if (n > 0) text_.append(part, static_cast<std::size_t>(n));
    }
  }
  Descriptor master_, slave_;
  std::thread reader_;
  std::string text_;
};

// Wall time stands at 59 s; the other clock goes on by half a second whenever it is asked.
class FastClock : public Clock {
 public:
  Seconds now() const override { return 59; }
  std::int64_t monotonic_ms() const override { return at_ += 500; }

 private:
  mutable std::atomic<std::int64_t> at_{0};
};

RevealedRecord record(std::string kind,
                      std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  RevealedRecord out{"rec_1", std::move(kind), "Label", {}};
  for (const auto& [name, value] : fields) EXPECT_TRUE(out.fields.set(name, as_bytes(value)));
  return out;
}

std::string shown(const RevealedRecord& record, unsigned short rows = 24, unsigned short columns = 80) {
  Pty pty(rows, columns);
  EXPECT_TRUE(show_secrets(pty.slave(), record, FastClock(), 2));
  return pty.finish();
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

TEST(SecretScreen, ComesAndGoes) {
  const std::string text = shown(record("api_key", {{"key", "sk-1"}}));
  EXPECT_TRUE(text.starts_with("\x1b[?1049h\x1b[?25l\x1b[H\x1b[J"));
  EXPECT_TRUE(text.ends_with("\x1b[H\x1b[J\x1b[?25h\x1b[?1049l"));
  EXPECT_TRUE(has(text, "Label (api_key, rec_1)"));
  EXPECT_TRUE(has(text, "key: sk-1"));
  EXPECT_TRUE(has(text, "Gone in 2 s"));
  EXPECT_TRUE(has(text, "Gone in 1 s"));
  EXPECT_FALSE(has(text, "\n")) << "nothing scrolls";
  EXPECT_FALSE(has(text, "\x1b[2J"));
  EXPECT_FALSE(has(text, "\x1b[3J"));
}

TEST(SecretScreen, CardsAreGrouped) {
  EXPECT_TRUE(
      has(shown(record("card", {{"number", "4242424242424242"}})), "number: 4242 4242 4242 4242\x1b"));
  EXPECT_TRUE(has(shown(record("card", {{"number", "378282246310005"}})), "number: 3782 822463 10005\x1b"));
  EXPECT_TRUE(
      has(shown(record("card", {{"number", "6304000000000000000"}})), "number: 6304 0000 0000 0000 000\x1b"));
}

TEST(SecretScreen, LoginsShowTheirCode) {
  const std::string text = shown(record(
      "login", {{"username", "ada"}, {"totp", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}, {"totp_digits", "8"}}));
  EXPECT_TRUE(has(text, "code now: 94287082 (1 s)"));
  EXPECT_TRUE(has(text, "totp_digits: 8"));
  EXPECT_FALSE(has(shown(record("login", {{"username", "ada"}})), "code now"));
}

TEST(SecretScreen, NothingOfAValueReachesTheTerminalAsAControl) {
  const std::string text = shown(record(
      "login", {{"password", "a\\b\x1b[31m\r\n\xe2\x80\xae\xe2\x80\x8b\xff\xf3\xa0\x80\x81z \xc3\xa9"}}));
  EXPECT_TRUE(has(
      text, "password: a\\b\\u{001B}[31m\\u{000D}\\u{000A}\\u{202E}\\u{200B}\\x{FF}\\u{E0001}z \xc3\xa9"));
}

TEST(SecretScreen, LongValuesAreWrappedByHandAndCut) {
  const std::string text = shown(record("api_key", {{"key", std::string(60, 'x')}}), 8, 10);
  EXPECT_TRUE(has(text, "key: xxxxx\x1b"));
  EXPECT_FALSE(has(text, "xxxxxxxxxxx"));
  EXPECT_FALSE(has(text, "\x1b[9;")) << "no line below the window";
  EXPECT_FALSE(has(shown(record("api_key", {{"key", "short"}})), "Not all fits"));
  EXPECT_TRUE(has(shown(record("api_key", {{"key", std::string(2000, 'x')}})), "Not all fits"));
  EXPECT_TRUE(shown(record("api_key", {{"key", "sk-1"}}), 1, 1).ends_with("\x1b[?1049l"));
}

TEST(SecretScreen, AnyKeyEndsItAndTheSettingsComeBack) {
  Pty pty;
  termios before{}, during{}, after{};
  ASSERT_EQ(tcgetattr(pty.slave(), &before), 0);
  std::thread owner([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(tcgetattr(pty.slave(), &during), 0);
    pty.press("\x1b[A");
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(show_secrets(pty.slave(), record("api_key", {{"key", "sk-1"}})));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  owner.join();
  ASSERT_EQ(tcgetattr(pty.slave(), &after), 0);
  EXPECT_EQ(during.c_lflag & static_cast<tcflag_t>(ECHO | ICANON | ISIG), 0U);
  EXPECT_EQ(after.c_lflag, before.c_lflag);
  EXPECT_EQ(after.c_iflag, before.c_iflag);
  char left = 0;
  EXPECT_EQ(read(pty.slave(), &left, 1), -1) << "the rest of the key is not for the shell";
}

TEST(SecretScreen, WhatIsNoTerminalShowsNothing) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Descriptor a(ends[0]), b(ends[1]);
  EXPECT_EQ(show_secrets(b.get(), record("api_key", {{"key", "sk-1"}})).error().code, Errc::io_error);
  pollfd wait{a.get(), POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 0);
}

}  // namespace
}  // namespace popvault::cli
