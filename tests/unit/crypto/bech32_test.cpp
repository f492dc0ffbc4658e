// Vectors: BIP-173, "Test vectors" (valid and invalid Bech32; the one that is only too long is not refused
// here). The recipient is the example of age's README.
#include "crypto/bech32.hpp"

#include <gtest/gtest.h>

namespace popvault::crypto {
namespace {

SecretBytes secret(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }
std::string text_of(const SecretBytes& s) { return std::string(as_text(s.reveal(SecretAccess{}))); }

struct Valid {
  std::string_view prefix, text, data;
};
const Valid kValid[] = {
    {"A", "A12UEL5L", ""},
    {"a", "a12uel5l", ""},
    {"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
     "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs", ""},
    {"abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "00443214c74254b635cf84653a56d7c675be77df"},
    {"1", "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
     "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "0"},
    {"split", "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
     "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d"},
    {"?", "?1ezyfcl", ""},
};

TEST(Bech32, ValidTextsOfBip173) {
  for (const Valid& v : kValid) {
    const auto data = bech32_read(v.prefix, v.text);
    ASSERT_TRUE(data) << v.text << ": " << data.error().detail;
    EXPECT_EQ(to_hex(*data), v.data);
    EXPECT_EQ(bech32(v.prefix, *data), v.text);
    const SecretBytes hidden = bech32_secret_read(v.prefix, secret(v.text)).value();
    EXPECT_EQ(to_hex(hidden.reveal(SecretAccess{})), v.data);
    EXPECT_EQ(text_of(bech32_secret(v.prefix, hidden)), v.text);
  }
}

TEST(Bech32, InvalidTextsOfBip173) {
  const std::pair<std::string_view, std::string_view> texts[] = {
      {"pzry9x0s0muk", "pzry9x0s0muk"},
      {"x", "x1b4n0q5v"},
      {"li", "li1dgmt3"},
      {"de", "de1lg7wt\xff"},
      {"A", "A1G7SGD8"},
      {"a", "10a06t8"},
      {"a", "1qzzfhee"},
      {"p", "1pzry9x0s0muk"},
  };
  for (const auto& [prefix, text] : texts) {
    const auto data = bech32_read(prefix, text);
    ASSERT_FALSE(data) << text;
    EXPECT_EQ(data.error().code, Errc::invalid_params);
    EXPECT_FALSE(bech32_secret_read(prefix, secret(text)));
  }
}

TEST(Bech32, ARecipientOfAge) {
  const std::string text = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
  const Bytes data = bech32_read("age", text).value();
  EXPECT_EQ(data.size(), 32U);
  EXPECT_EQ(bech32("age", data), text);
  EXPECT_FALSE(bech32_read("AGE", text));
  EXPECT_FALSE(bech32_read("ag", text));
  EXPECT_FALSE(bech32_read("age1", text));
}

TEST(Bech32, AnyOneCharacterChangedIsSeen) {
  const std::string text = bech32("AGE-SECRET-KEY-", Bytes(32, 0x5a));
  EXPECT_TRUE(text.starts_with("AGE-SECRET-KEY-1"));
  EXPECT_EQ(text.size(), 74U);
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string changed = text;
      changed[at] = static_cast<char>(c);
      EXPECT_EQ(bech32_read("AGE-SECRET-KEY-", changed).has_value(), changed == text) << at << ' ' << c;
    }
    EXPECT_FALSE(bech32_read("AGE-SECRET-KEY-", text.substr(0, at)));
  }
}

TEST(Bech32, EverySizeComesBack) {
  for (std::size_t size = 0; size < 100; ++size) {
    Bytes data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * 37 + size);
    EXPECT_EQ(bech32_read("x", bech32("x", data)).value(), data);
  }
}

TEST(Bech32, PaddingIsZeroAndShort) {
  // The checksums fit; the data has one spare character, or a spare bit that is one.
  EXPECT_TRUE(bech32_read("x", "x1qqmkfy3s"));
  EXPECT_FALSE(bech32_read("x", "x1qqqn0an5s"));
  EXPECT_FALSE(bech32_read("x", "x1qpxqa3vz"));
}

TEST(Bech32DeathTest, AMixedPrefixIsABug) {
  EXPECT_DEATH((void)bech32("aGe", Bytes{}), "");
  EXPECT_DEATH((void)bech32("", Bytes{}), "");
}

}  // namespace
}  // namespace popvault::crypto
