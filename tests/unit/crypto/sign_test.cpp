// Vectors: RFC 8032 section 7.1 (Ed25519), RFC 4231 (HMAC), FIPS 180-4 examples (SHA-256).
#include "crypto/sign.hpp"

#include <gtest/gtest.h>

#include <set>

#include "crypto/compiled_salt.hpp"
#include "crypto/digest.hpp"
#include "crypto/random.hpp"

namespace popvault::crypto {
namespace {

SecretBytes secret(std::string_view hex) { return SecretBytes::copy_of(from_hex(hex).value()); }

struct SignVector {
  std::string_view seed, public_key, message, signature;
};
constexpr SignVector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f"
     "0595bb"
     "e24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2ea"
     "eb4302"
     "aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e"
     "9716ed"
     "28dc027beceea1ec40a"},
};

TEST(Ed25519, Rfc8032) {
  for (const SignVector& v : kVectors) {
    const SigningKey key = SigningKey::from_seed(secret(v.seed));
    const Bytes message = from_hex(v.message).value();
    const Signature signature = key.sign(message);
    EXPECT_EQ(key.public_key().hex(), v.public_key);
    EXPECT_EQ(signature.hex(), v.signature);
    EXPECT_TRUE(verify(key.public_key(), message, signature));
  }
}

TEST(Ed25519, AnotherMessageKeyOrSignatureIsRefused) {
  const SigningKey key = SigningKey::from_seed(secret(kVectors[0].seed));
  const SigningKey other = SigningKey::from_seed(secret(kVectors[1].seed));
  const Signature good = key.sign(as_bytes("pay"));
  EXPECT_FALSE(verify(key.public_key(), as_bytes("Pay"), good));
  EXPECT_FALSE(verify(other.public_key(), as_bytes("pay"), good));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    Signature bad = good;
    bad.bytes[bit / 8] = static_cast<std::uint8_t>(bad.bytes[bit / 8] ^ (1U << bit % 8));
    EXPECT_FALSE(verify(key.public_key(), as_bytes("pay"), bad)) << bit;
  }
  // The all-zero key is a point of small order: with it one signature would fit many messages.
  EXPECT_FALSE(verify(PublicKey{}, as_bytes("pay"), Signature{}));
}

TEST(Digest, Sha256) {
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256({as_bytes("a"), as_bytes(""), as_bytes("bc")}), sha256(as_bytes("abc")));
}

TEST(Digest, HmacRfc4231) {
  EXPECT_EQ(hmac_sha256(SecretBytes::copy_of(Bytes(20, 0x0b)), {as_bytes("Hi There")}).hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256(SecretBytes::copy_of(as_bytes("Jefe")),
                        {as_bytes("what do ya want "), as_bytes("for nothing?")})
                .hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(SecretBytes::copy_of(Bytes(131, 0xaa)),
                        {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")})
                .hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digest, HmacWithAnEmptyKey) {
  EXPECT_EQ(hmac_sha256(SecretBytes{}, {}).hex(),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Random, TokensAreBase32AndDiffer) {
  std::set<std::string> seen;
  std::set<char> letters;
  for (int i = 0; i < 200; ++i) {
    const std::string token = random_token(26);
    EXPECT_EQ(token.size(), 26U);
    EXPECT_EQ(token.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
    seen.insert(token);
    letters.insert(token.begin(), token.end());
  }
  EXPECT_EQ(seen.size(), 200U);
  EXPECT_EQ(letters.size(), 32U);
}

TEST(CompiledSalt, IsThePublicOneInASourceBuildOnly) {
  const SecretBytes salt = compiled_salt();
  EXPECT_EQ(as_text(public_salt()), "pop-pay-oss-v1-public-salt-2026");
  EXPECT_EQ(as_text(salt.reveal(SecretAccess{})) == as_text(public_salt()), !hardened_build());
}

}  // namespace
}  // namespace popvault::crypto
