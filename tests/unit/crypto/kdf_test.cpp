// Vectors: RFC 7914 sections 11 and 12, RFC 5869 appendix A. Oracles: libsodium's and OpenSSL's scrypt.
#include "crypto/kdf.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sodium.h>

namespace popvault::crypto {
namespace {

SecretBytes secret(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }
std::string hex(const SecretBytes& s) { return to_hex(s.reveal(SecretAccess{})); }

struct ScryptVector {
  std::string_view password, salt;
  ScryptCost cost;
  std::string_view expected;
};

TEST(Scrypt, Rfc7914Section12) {
  const ScryptVector vectors[] = {
      {"",
       "",
       {16, 1, 1},
       "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
       "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"},
      {"password",
       "NaCl",
       {1024, 8, 16},
       "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
       "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
      {"pleaseletmein",
       "SodiumChloride",
       {16384, 8, 1},
       "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
       "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"},
  };
  for (const ScryptVector& v : vectors) {
    const auto key = scrypt(secret(v.password), as_bytes(v.salt), v.cost, 64);
    ASSERT_TRUE(key);
    EXPECT_EQ(hex(*key), v.expected);
  }
}

TEST(Pbkdf2, Rfc7914Section11) {
  EXPECT_EQ(hex(pbkdf2(secret("passwd"), as_bytes("salt"), 1, 64).value()),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
            "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
  EXPECT_EQ(hex(pbkdf2(secret("Password"), as_bytes("NaCl"), 80000, 64).value()),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
            "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d");
}

TEST(Scrypt, MachineKeyAgreesWithTwoOtherLibraries) {
  const Bytes machine = {'a', 0, 0xff, 'b'};
  const std::string user = "j\xc3\xbcrgen";
  const Bytes salt = {0};
  const SecretBytes ours = scrypt_machine_key(machine, user, salt).value();
  Bytes password(machine);
  password.push_back(':');
  password.insert(password.end(), user.begin(), user.end());
  Bytes sodium(32);
  ASSERT_EQ(crypto_pwhash_scryptsalsa208sha256_ll(password.data(), password.size(), salt.data(), salt.size(),
                                                  16384, 8, 1, sodium.data(), sodium.size()),
            0);
  EXPECT_EQ(hex(ours), to_hex(sodium));
  Bytes openssl(32);
  ASSERT_EQ(EVP_PBE_scrypt(reinterpret_cast<const char*>(password.data()), password.size(), salt.data(),
                           salt.size(), 16384, 8, 1, 64 * 1024 * 1024, openssl.data(), openssl.size()),
            1);
  EXPECT_EQ(hex(ours), to_hex(openssl));
}

TEST(Scrypt, AWrongCostIsAnErrorAndNoCrash) {
  EXPECT_FALSE(scrypt(secret("p"), as_bytes("s"), {15, 8, 1}, 32));
  EXPECT_FALSE(scrypt(secret("p"), as_bytes("s"), {0, 8, 1}, 32));
}

TEST(Pbkdf2, AnEmptyPassphraseIsAKeyToo) {
  const auto key = pbkdf2_passphrase_key(SecretBytes{}, Bytes(32, 0x80));
  ASSERT_TRUE(key);
  EXPECT_EQ(hex(*key), "eb50b3b4a786f3e147a33d743c35c0d9f09da514074834435090f1b9afd63e0d");
}

Bytes unhex(std::string_view text) { return from_hex(text).value(); }

TEST(Hkdf, Rfc5869) {
  // A.1
  EXPECT_EQ(hex(hkdf_sha256_salted(SecretBytes::copy_of(Bytes(22, 0x0b)), unhex("000102030405060708090a0b0c"),
                                   unhex("f0f1f2f3f4f5f6f7f8f9"), 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  // A.2
  Bytes key, salt, info;
  for (unsigned i = 0; i < 80; ++i) {
    key.push_back(static_cast<std::uint8_t>(i));
    salt.push_back(static_cast<std::uint8_t>(0x60 + i));
    info.push_back(static_cast<std::uint8_t>(0xb0 + i));
  }
  EXPECT_EQ(
      hex(hkdf_sha256_salted(SecretBytes::copy_of(key), salt, info, 82)),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275"
      "600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  // A.3: no salt is 32 zero bytes, which is what hkdf_sha256 uses.
  EXPECT_EQ(hex(hkdf_sha256(SecretBytes::copy_of(Bytes(22, 0x0b)), "", 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

}  // namespace
}  // namespace popvault::crypto
