#include "cli/secret_input.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <thread>

#include "cli/passphrase.hpp"

namespace popvault::cli {
namespace {

Descriptor pipe_with(std::string_view text) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const Descriptor to(ends[1]);
  EXPECT_EQ(write(to.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return Descriptor(ends[0]);
}

std::string text_of(const SecretBytes& bytes) { return std::string(as_text(bytes.reveal(SecretAccess{}))); }

std::string line_of(std::string_view text) {
  const Descriptor from = pipe_with(text);
  const auto line = read_secret_line(from.get(), "passphrase");
  return line ? text_of(*line) : "error " + line.error().detail;
}

TEST(SecretLine, TakesOneLineAsItIs) {
  EXPECT_EQ(line_of("open sesame\n"), "open sesame");
  EXPECT_EQ(line_of("open sesame"), "open sesame");
  EXPECT_EQ(line_of(" a\r\n"), " a\r");
  EXPECT_EQ(line_of("\n"), "");
  EXPECT_EQ(line_of(""), "");
  EXPECT_EQ(line_of(std::string(4095, 'x') + "\n"), std::string(4095, 'x'));
  EXPECT_EQ(line_of(std::string(4097, 'x')), "error passphrase is over 4 KiB");
}

TEST(SecretLine, LeavesTheRest) {
  const Descriptor from = pipe_with("one\ntwo\n");
  EXPECT_EQ(text_of(*read_secret_line(from.get(), "x")), "one");
  EXPECT_EQ(text_of(*read_secret_line(from.get(), "x")), "two");
}

TEST(SecretLine, ClosedDescriptorIsUsage) {
  EXPECT_EQ(read_secret_line(1000, "passphrase").error().code, Errc::usage);
}

TEST(SecretAll, HasALimit) {
  const Descriptor fits = pipe_with("12345");
  EXPECT_EQ(text_of(*read_secret_all(fits.get(), 5, "fields")), "12345");
  const Descriptor over = pipe_with("123456");
  EXPECT_EQ(read_secret_all(over.get(), 5, "fields").error().code, Errc::invalid_field);
}

class Pty : public ::testing::Test {
 protected:
  void SetUp() override {
    master_ = Descriptor(posix_openpt(O_RDWR | O_NOCTTY));
    ASSERT_TRUE(master_);
    ASSERT_EQ(grantpt(master_.get()), 0);
    ASSERT_EQ(unlockpt(master_.get()), 0);
    char name[64];
    ASSERT_EQ(ptsname_r(master_.get(), name, sizeof name), 0);
    slave_ = open(name, O_RDWR | O_NOCTTY);
    ASSERT_GE(slave_, 0);
  }
  // Waits for the prompt, as a person does, then types.
  std::string type(std::string_view text) {
    std::string seen = read_some();
    EXPECT_EQ(write(master_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return seen + read_some();
  }
  std::string read_some() {
    char part[256];
    const ssize_t n = read(master_.get(), part, sizeof part);
    return n > 0 ? std::string(part, static_cast<std::size_t>(n)) : "";
  }
  bool echoes() const {
    termios now{};
    tcgetattr(slave_, &now);
    return (now.c_lflag & ECHO) != 0;
  }
  Descriptor master_;
  int slave_ = -1;
};

TEST_F(Pty, HiddenInputIsNotEchoedAndTheTerminalIsRestored) {
  Terminal terminal{Descriptor(slave_)};
  ASSERT_TRUE(echoes());
  std::string seen;
  std::thread person([&] { seen = type("hunter2\n"); });
  const auto line = terminal.ask("Passphrase: ", Echo::off);
  person.join();
  ASSERT_TRUE(line);
  EXPECT_EQ(text_of(*line), "hunter2");
  EXPECT_EQ(seen, "Passphrase: \r\n");
  EXPECT_TRUE(echoes());
}

TEST_F(Pty, VisibleInputAndTheEnd) {
  Terminal terminal{Descriptor(slave_)};
  std::thread person([&] { type("Ada\n"); });
  EXPECT_EQ(text_of(*terminal.ask("Holder: ", Echo::on)), "Ada");
  person.join();
  std::thread leaver([&] { type("\x04"); });
  EXPECT_EQ(terminal.ask("Again: ", Echo::off).error().code, Errc::usage);
  leaver.join();
  EXPECT_TRUE(echoes());
}

// The program has one thread: a signal is for that one, and for none of these from their first instruction on.
template <class F>
std::thread without_signals(F work) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread out(std::move(work));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return out;
}

// Ctrl-C in the middle: the process dies of SIGINT, and the terminal echoes again. The child is executed anew
// (secret memory does not survive a fork) and gets this terminal as an inherited descriptor.
TEST_F(Pty, AnInterruptRestoresTheTerminal) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  setenv("PV_TEST_TERMINAL", std::to_string(slave_).c_str(), 0);
  std::thread person = without_signals([&] { EXPECT_TRUE(read_some().starts_with("Passphrase: ")); });
  const auto interrupted = [] {
    const int inherited = std::stoi(getenv("PV_TEST_TERMINAL"));
    Terminal terminal{Descriptor(dup(inherited))};
    std::thread interrupter = without_signals([inherited] {
      termios now{};
      do tcgetattr(inherited, &now);
      while ((now.c_lflag & ECHO) != 0);
      kill(getpid(), SIGINT);
    });
    (void)terminal.ask("Passphrase: ", Echo::off);
    interrupter.join();
  };
  EXPECT_EXIT(interrupted(), ::testing::KilledBySignal(SIGINT), "");
  person.join();
  EXPECT_TRUE(echoes());
  close(slave_);
}

TEST(Passphrase, LengthInCharacters) {
  EXPECT_EQ(characters_of(SecretBytes::copy_of(as_bytes("p\xc3\xa4sswort"))), 8U);
  const Descriptor seven = pipe_with("1234567\n");
  const auto refused = choose_passphrase(seven.get(), "the vault");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_field);
  EXPECT_NE(refused.error().detail.find("passphrase"), std::string::npos);
  const Descriptor eight = pipe_with("12345678\n");
  EXPECT_TRUE(choose_passphrase(eight.get(), "the vault"));
}

TEST(Passphrase, EstimateIsAnUpperBoundThatSeesRuns) {
  const auto bits = [](std::string_view text) { return most_bits(SecretBytes::copy_of(as_bytes(text))); };
  EXPECT_EQ(bits(""), 0U);
  EXPECT_LT(bits("aaaaaaaaaaaa"), 20U);
  EXPECT_LT(bits("abcdefghijkl"), 20U);
  EXPECT_GT(bits("kq7Zp!mW2xR$"), 70U);
  EXPECT_NE(strength_line(20).find("weak"), std::string::npos);
}

}  // namespace
}  // namespace popvault::cli
