// Vectors: RFC 7748 sections 5.2 and 6.1. The points of small order: 0, 1, p - 1 and the two of order 8.
#include "crypto/x25519.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace popvault::crypto {
namespace {

SecretBytes secret(std::string_view hex) { return SecretBytes::copy_of(from_hex(hex).value()); }
std::string hex(const SecretBytes& s) { return to_hex(s.reveal(SecretAccess{})); }

X25519PublicKey point(std::string_view hex) {
  X25519PublicKey out;
  const Bytes bytes = from_hex(hex).value();
  std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return out;
}

TEST(X25519, Rfc7748Section5) {
  EXPECT_EQ(hex(x25519(secret("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                       point("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"))
                    .value()),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  EXPECT_EQ(hex(x25519(secret("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
                       point("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"))
                    .value()),
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
}

TEST(X25519, Rfc7748Section5Iterated) {
  SecretBytes k = secret("0900000000000000000000000000000000000000000000000000000000000000");
  X25519PublicKey u = point("0900000000000000000000000000000000000000000000000000000000000000");
  for (int i = 1; i <= 1000; ++i) {
    SecretBytes next = x25519(k, u).value();
    const ByteView before = std::as_const(k).reveal(SecretAccess{});
    std::copy(before.begin(), before.end(), u.bytes.begin());
    k = std::move(next);
    if (i == 1) {
      EXPECT_EQ(hex(k), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
  }
  EXPECT_EQ(hex(k), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(X25519, Rfc7748Section6) {
  const SecretBytes alice = secret("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const SecretBytes bob = secret("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const X25519PublicKey of_alice = x25519_public(alice), of_bob = x25519_public(bob);
  EXPECT_EQ(of_alice.hex(), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(of_bob.hex(), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const char* const shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  EXPECT_EQ(hex(x25519(alice, of_bob).value()), shared);
  EXPECT_EQ(hex(x25519(bob, of_alice).value()), shared);
}

TEST(X25519, SmallOrderIsRefused) {
  for (const char* bad : {"0000000000000000000000000000000000000000000000000000000000000000",
                          "0100000000000000000000000000000000000000000000000000000000000000",
                          "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                          "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    const auto shared = x25519(secret(std::string(64, '3')), point(bad));
    ASSERT_FALSE(shared) << bad;
    EXPECT_EQ(shared.error().code, Errc::invalid_params);
  }
}

TEST(X25519DeathTest, AKeyOfAnotherSizeIsABug) {
  EXPECT_DEATH((void)x25519_public(SecretBytes::zeros(31)), "");
}

}  // namespace
}  // namespace popvault::crypto
