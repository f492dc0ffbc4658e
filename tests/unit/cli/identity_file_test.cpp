#include "cli/identity_file.hpp"

#include <gtest/gtest.h>

#include "vault/recovery.hpp"

namespace popvault::cli {
namespace {

Result<SecretBytes> read(const std::string& text) {
  return identity_in(SecretBytes::copy_of(as_bytes(text)));
}

std::string key_text(std::uint8_t byte) {
  const SecretBytes words = age_identity(SecretBytes::copy_of(Bytes(32, byte)));
  return std::string(as_text(words.reveal(SecretAccess{})));
}

TEST(IdentityFile, OneKeyAmongCommentsAndEmptyLines) {
  const std::string key = key_text(7);
  for (const std::string& text : {key, key + "\n", "# created: 2026\n# public key: age1x\n" + key + "\n",
                                  "\r\n" + key + "\r\n\r\n# end"}) {
    const auto got = read(text);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_TRUE(*got == SecretBytes::copy_of(Bytes(32, 7)));
  }
}

TEST(IdentityFile, AnythingElseIsRefusedAndNotRepeated) {
  const std::string key = key_text(7);
  std::string changed = key;
  changed[20] = changed[20] == 'Q' ? 'P' : 'Q';
  for (const std::string& text :
       {std::string(), std::string("# nothing\n"), key + "\n" + key_text(8) + "\n", changed, " " + key,
        key + " x", "age1" + key.substr(16), std::string("-----BEGIN AGE ENCRYPTED FILE-----\n")}) {
    const auto got = read(text);
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code, Errc::invalid_field);
    EXPECT_EQ(got.error().detail.find(key.substr(20, 10)), std::string::npos);
  }
}

TEST(IdentityFile, AKeyIsNoPath) {
  for (const std::string& path : {key_text(7), std::string("age-secret-key-1abc")}) {
    const auto got = read_identity_file(path);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::usage);
    EXPECT_EQ(got.error().detail.find(path.substr(16)), std::string::npos);
  }
  EXPECT_EQ(read_identity_file("/nonexistent/key").error().code, Errc::not_found);
}

}  // namespace
}  // namespace popvault::cli
