// Vectors: AES-256-GCM test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation" (the
// submission to NIST), which SP 800-38D standardised.
#include "crypto/aead.hpp"

#include <gtest/gtest.h>

namespace popvault::crypto {
namespace {

SecretBytes key_of(std::string_view hex) { return SecretBytes::copy_of(from_hex(hex).value()); }

struct GcmVector {
  std::string_view key, nonce, plaintext, associated, ciphertext, tag;
};

constexpr GcmVector kVectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
     "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "00000000000000000000000000000000", "", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

Bytes file_of(const GcmVector& v) {
  return from_hex(std::string(v.nonce) + std::string(v.ciphertext) + std::string(v.tag)).value();
}

TEST(Aead, OpensPublishedVectors) {
  for (const GcmVector& v : kVectors) {
    const auto opened = open(key_of(v.key), file_of(v), from_hex(v.associated).value());
    ASSERT_TRUE(opened);
    EXPECT_EQ(to_hex(opened->reveal(SecretAccess{})), v.plaintext);
  }
}

TEST(Aead, EveryChangedBitIsRefused) {
  const GcmVector& v = kVectors[3];
  const Bytes whole = file_of(v);
  const Bytes associated = from_hex(v.associated).value();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes changed = whole;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << bit % 8));
    const auto opened = open(key_of(v.key), changed, associated);
    ASSERT_FALSE(opened) << bit;
    EXPECT_EQ(opened.error().code, Errc::wrong_key);
  }
  EXPECT_EQ(open(key_of(v.key), whole, {}).error().code, Errc::wrong_key);
  EXPECT_EQ(open(key_of(kVectors[0].key), whole, associated).error().code, Errc::wrong_key);
}

TEST(Aead, EveryTruncationIsRefused) {
  const Bytes whole = file_of(kVectors[2]);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const auto opened = open(key_of(kVectors[2].key), ByteView(whole).first(n), {});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, n < 28 ? Errc::vault_corrupt : Errc::wrong_key) << n;
  }
}

TEST(Aead, SealsWithAFreshNonceAndOpensAgain) {
  const SecretBytes key = key_of(kVectors[2].key);
  const Bytes one = seal(key, as_bytes("hello"), as_bytes("place")).value();
  const Bytes two = seal(key, as_bytes("hello"), as_bytes("place")).value();
  EXPECT_EQ(one.size(), 5 + kAeadOverhead);
  EXPECT_NE(Bytes(one.begin(), one.begin() + 12), Bytes(two.begin(), two.begin() + 12));
  EXPECT_EQ(as_text(open(key, one, as_bytes("place"))->reveal(SecretAccess{})), "hello");
  EXPECT_FALSE(open(key, one, as_bytes("other place")));
}

TEST(Aead, OpenIntoWipesTheWholeOutputOnFailure) {
  const Bytes good = file_of(kVectors[2]);
  Bytes bad = good;
  bad.back() ^= 1;
  Bytes out(100, 0xaa);
  EXPECT_FALSE(open_into(key_of(kVectors[2].key), bad, {}, out));
  EXPECT_EQ(out, Bytes(100, 0));
  const auto size = open_into(key_of(kVectors[2].key), good, {}, out);
  ASSERT_TRUE(size);
  EXPECT_EQ(to_hex(ByteView(out).first(*size)), kVectors[2].plaintext);
  Bytes small(10, 0xaa);
  EXPECT_EQ(open_into(key_of(kVectors[2].key), good, {}, small).error().code, Errc::internal);
  EXPECT_EQ(small, Bytes(10, 0));
}

TEST(Aead, AKeyOfAnotherSizeIsRefused) {
  EXPECT_EQ(seal(key_of("00"), {}, {}).error().code, Errc::internal);
  EXPECT_EQ(open(key_of("00"), Bytes(28), {}).error().code, Errc::internal);
}

}  // namespace
}  // namespace popvault::crypto
