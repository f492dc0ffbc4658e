// What stands on the terminal is tested with a terminal, in tests/process/test_recovery.py.
#include "cli/words_screen.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "crypto/bip39.hpp"

namespace popvault::cli {
namespace {

SecretBytes words() {
  return SecretBytes::copy_of(
      as_bytes("void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing "
               "screen patrol group space point ten exist slush involve unfold"));
}

std::string table(unsigned columns) {
  return std::string(as_text(words_table(words(), columns).reveal(SecretAccess{})));
}

TEST(WordsTable, GoesDownTheColumns) {
  const std::string wide = table(80);
  EXPECT_EQ(wide.substr(0, wide.find('\n')), " 1. void         9. shoot       17. group");
  EXPECT_EQ(std::count(wide.begin(), wide.end(), '\n'), 8);
  EXPECT_NE(wide.find("16. patrol      24. unfold\n"), std::string::npos);
  EXPECT_EQ(table(48), wide);
}

TEST(WordsTable, IsNarrowerWhereItMustBe) {
  for (unsigned columns = 16; columns < 100; ++columns) {
    const std::string text = table(columns);
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      EXPECT_LE(end - begin, columns);
      begin = end + 1;
    }
    EXPECT_NE(text.find("24. unfold"), std::string::npos);
  }
  EXPECT_EQ(table(15), "");
}

TEST(Words, FromADescriptorToItsEnd) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string text = "void\ncome\n effort";
  ASSERT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(ends[1]);
  const auto got = ask_words(ends[0], "x");
  close(ends[0]);
  ASSERT_TRUE(got);
  EXPECT_EQ(as_text(got->reveal(SecretAccess{})), text);
}

TEST(Words, AreCheckedWithoutADaemonToo) {
  EXPECT_TRUE(check_words(nullptr, words()));
  const auto wrong = check_words(nullptr, SecretBytes::copy_of(as_bytes("void come zzz")));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::words_invalid);
  EXPECT_EQ(wrong.error().detail, "word 3 is not in the list");
}

}  // namespace
}  // namespace popvault::cli
