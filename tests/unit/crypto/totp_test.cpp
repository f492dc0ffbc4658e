// Vectors: RFC 4226 appendix D, RFC 6238 appendix B, RFC 4648 section 10.
#include "crypto/totp.hpp"

#include <gtest/gtest.h>

namespace popvault::crypto {
namespace {

SecretBytes secret(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }
std::string shown(const SecretBytes& bytes) { return std::string(as_text(bytes.reveal(SecretAccess{}))); }

TEST(Hotp, Rfc4226AppendixD) {
  const SecretBytes seed = secret("12345678901234567890");
  const char* const codes[] = {"755224", "287082", "359152", "969429", "338314",
                               "254676", "287922", "162583", "399871", "520489"};
  for (std::uint64_t counter = 0; counter < std::size(codes); ++counter)
    EXPECT_EQ(shown(hotp(seed, counter, OtpHash::sha1, 6)), codes[counter]);
  // The 31-bit numbers of the same table end in the longer codes.
  EXPECT_EQ(shown(hotp(seed, 0, OtpHash::sha1, 7)), "4755224");
  EXPECT_EQ(shown(hotp(seed, 0, OtpHash::sha1, 8)), "84755224");
  EXPECT_EQ(shown(hotp(seed, 9, OtpHash::sha1, 8)), "45520489");
}

// The seeds of the three hashes have 20, 32 and 64 bytes: the RFC's erratum 2866.
TEST(Totp, Rfc6238AppendixB) {
  const SecretBytes seeds[] = {secret("12345678901234567890"), secret("12345678901234567890123456789012"),
                               secret("1234567890123456789012345678901234567890123456789012345678901234")};
  struct Row {
    std::int64_t time;
    const char* codes[3];
  };
  const Row rows[] = {
      {59, {"94287082", "46119246", "90693936"}},         {1111111109, {"07081804", "68084774", "25091201"}},
      {1111111111, {"14050471", "67062674", "99943326"}}, {1234567890, {"89005924", "91819424", "93441116"}},
      {2000000000, {"69279037", "90698825", "38618901"}}, {20000000000, {"65353130", "77737706", "47863826"}},
  };
  for (const Row& row : rows)
    for (const OtpHash hash : {OtpHash::sha1, OtpHash::sha256, OtpHash::sha512}) {
      const auto at = static_cast<std::size_t>(hash);
      EXPECT_EQ(shown(totp(seeds[at], row.time, {hash, 8, 30})), row.codes[at]) << row.time;
    }
}

TEST(Totp, PeriodsAndTheirEnds) {
  const SecretBytes seed = secret("12345678901234567890");
  EXPECT_EQ(shown(totp(seed, 59, {OtpHash::sha1, 6, 60})), "755224");
  EXPECT_EQ(shown(totp(seed, 60, {OtpHash::sha1, 6, 60})), "287082");
  EXPECT_EQ(shown(totp(seed, -5, {})), "755224");
  EXPECT_EQ(totp_seconds_left(0, 30), 30U);
  EXPECT_EQ(totp_seconds_left(29, 30), 1U);
  EXPECT_EQ(totp_seconds_left(30, 30), 30U);
  EXPECT_EQ(totp_seconds_left(-1, 30), 30U);
}

TEST(Base32, Rfc4648Section10) {
  const std::pair<const char*, const char*> rows[] = {{"f", "MY"},           {"fo", "MZXQ"},
                                                      {"foo", "MZXW6"},      {"foob", "MZXW6YQ"},
                                                      {"fooba", "MZXW6YTB"}, {"foobar", "MZXW6YTBOI"}};
  for (const auto& [plain, text] : rows) {
    EXPECT_EQ(shown(base32_text(secret(plain))), text);
    const auto back = base32_bytes(as_bytes(text));
    ASSERT_TRUE(back) << text;
    EXPECT_EQ(shown(*back), plain);
  }
  EXPECT_TRUE(base32_text(SecretBytes{}).empty());
}

TEST(Base32, AsPeopleWriteIt) {
  for (const char* text :
       {"MZXW6YTBOI======", "mzxw6ytboi", "mzxw 6ytb oi", " MZXW-6YTB-OI= ", "MZXW6YTBOJ"}) {
    const auto bytes = base32_bytes(as_bytes(text));
    ASSERT_TRUE(bytes) << text;
    EXPECT_EQ(shown(*bytes), "foobar") << text;
  }
}

TEST(Base32, WrongOnes) {
  for (const char* text :
       {"", " ", "=", "M", "MZX", "MZXW6Y", "MZXW0", "MZXW1", "MZXW8", "MY=A", "MY!", "M\xc3\xa4", "MY\n"}) {
    const auto bytes = base32_bytes(as_bytes(text));
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().code, Errc::invalid_field);
    EXPECT_EQ(bytes.error().detail, "");
  }
}

}  // namespace
}  // namespace popvault::crypto
