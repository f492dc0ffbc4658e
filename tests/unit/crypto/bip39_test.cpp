// Vectors: tests/vectors/bip39.json and bip39_slip10.json, which name their sources.
#include "crypto/bip39.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "crypto/digest.hpp"
#include "crypto/random.hpp"
#include "crypto/sign.hpp"

namespace popvault::crypto {
namespace {

SecretBytes secret(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }
SecretBytes unhex(const std::string& text) { return SecretBytes::copy_of(from_hex(text).value()); }
std::string text_of(const SecretBytes& s) { return std::string(as_text(s.reveal(SecretAccess{}))); }
std::string hex(const SecretBytes& s) { return to_hex(s.reveal(SecretAccess{})); }

nlohmann::json vectors(const char* name) {
  std::ifstream in(std::string(POPVAULT_SOURCE_DIR) + "/tests/vectors/" + name);
  return nlohmann::json::parse(in).at("vectors");
}

std::vector<std::string> split(const std::string& words) {
  std::istringstream in(words);
  return {std::istream_iterator<std::string>(in), {}};
}
std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : " ") + w;
  return out;
}

const char* const kGood =
    "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol "
    "group space point ten exist slush involve unfold";

TEST(Bip39, ReferenceVectors) {
  const auto all = vectors("bip39.json");
  EXPECT_EQ(all.size(), 8U);
  for (const auto& v : all) {
    const SecretBytes words = bip39_words(unhex(v["entropy"]));
    EXPECT_EQ(text_of(words), v["words"]);
    EXPECT_EQ(hex(bip39_entropy(words).value()), v["entropy"]);
    EXPECT_EQ(hex(bip39_seed(words)), v["seed"]);
    EXPECT_EQ(hex(bip39_seed(words, as_bytes("TREZOR"))), v["seed_trezor"]);
  }
}

// SLIP-10 for Ed25519, hardened steps only.
struct Node {
  Bytes key, chain;
};
Node hmac_sha512(ByteView key, ByteView data) {
  Bytes out(64);
  HMAC(EVP_sha512(), key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(), nullptr);
  return {Bytes(out.begin(), out.begin() + 32), Bytes(out.begin() + 32, out.end())};
}
Node derive(ByteView seed, std::string path) {
  Node node = hmac_sha512(as_bytes("ed25519 seed"), seed);
  std::istringstream in(path.substr(2));
  for (std::string step; std::getline(in, step, '/');) {
    ByteWriter data;
    data.u8(0).raw(node.key).u32(0x80000000U + static_cast<std::uint32_t>(std::stoul(step)));
    node = hmac_sha512(node.chain, data.bytes());
  }
  return node;
}

TEST(Bip39, SeedsGoOnThroughSlip10) {
  for (const auto& v : vectors("bip39_slip10.json")) {
    EXPECT_EQ(text_of(bip39_words(unhex(v["entropy"]))), v["mnemonic"]);
    const SecretBytes seed = bip39_seed(secret(v["mnemonic"].get<std::string>()));
    EXPECT_EQ(hex(seed), v["seed_no_passphrase"]);
    EXPECT_EQ(hex(bip39_seed(secret(v["mnemonic"].get<std::string>()), as_bytes("TREZOR"))),
              v["seed_passphrase_TREZOR"]);
    const Node node = derive(seed.reveal(SecretAccess{}), v["path"]);
    EXPECT_EQ(to_hex(node.key), v["slip10_private_key"]);
    EXPECT_EQ(to_hex(node.chain), v["slip10_chain_code"]);
    EXPECT_EQ(SigningKey::from_seed(SecretBytes::copy_of(node.key)).public_key().hex(),
              v["ed25519_public_key"]);
    for (const auto& [path, key] : v["bot_paths"].items())
      EXPECT_EQ(to_hex(derive(seed.reveal(SecretAccess{}), path).key), key);
  }
}

TEST(Bip39, TheListIsTheListOfBip39) {
  // All words, in order, from the entropies that have each index in their first word.
  std::string list;
  for (unsigned i = 0; i < 2048; ++i) {
    SecretBytes entropy = SecretBytes::zeros(32);
    entropy.reveal(SecretAccess{})[0] = static_cast<std::uint8_t>(i >> 3);
    entropy.reveal(SecretAccess{})[1] = static_cast<std::uint8_t>(i << 5 & 0xff);
    list += split(text_of(bip39_words(entropy))).front() + "\n";
  }
  EXPECT_EQ(sha256(as_bytes(list)).hex(), "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
}

TEST(Bip39, EveryEntropyComesBack) {
  for (int i = 0; i < 200; ++i) {
    const SecretBytes entropy = random_secret(32);
    EXPECT_TRUE(bip39_entropy(bip39_words(entropy)).value() == entropy);
  }
}

TEST(Bip39, CaseWhiteSpaceAndFourLetters) {
  const SecretBytes expected = bip39_entropy(secret(kGood)).value();
  std::string loud, wide = "\t\r\n ", cut;
  for (const char c : std::string_view(kGood)) {
    loud += static_cast<char>(std::toupper(c));
    wide += c == ' ' ? "\r\n \t\v\f" : std::string(1, c);
  }
  for (const std::string& word : split(kGood)) cut += word.substr(0, 4) + " ";
  for (const std::string& form : {loud, wide + "\n", cut, " " + loud + " "}) {
    const auto read = bip39_entropy(secret(form));
    ASSERT_TRUE(read) << form;
    EXPECT_TRUE(*read == expected);
    EXPECT_EQ(hex(bip39_seed(secret(form))), hex(bip39_seed(secret(kGood))));
  }
}

std::string error_of(const std::string& words) {
  const auto read = bip39_entropy(secret(words));
  if (read) return "none";
  EXPECT_EQ(read.error().code, Errc::words_invalid);
  return read.error().detail;
}

TEST(Bip39, ErrorsNameThePlaceAndNeverTheWord) {
  std::vector<std::string> words = split(kGood);
  for (std::size_t at = 0; at < 24; ++at) {
    std::vector<std::string> changed = words;
    // Three letters of four, five of six.
    for (const char* bad :
         {"ope", "patro", "ten1", "zzzz", "aaaa", "\xc3\xa4", "1.", "abandonabandon"}) {
      changed[at] = bad;
      EXPECT_EQ(error_of(joined(changed)), "word " + std::to_string(at + 1) + " is not in the list");
    }
  }
  words.pop_back();
  EXPECT_EQ(error_of(joined(words)), "there are 23 words and not 24");
  EXPECT_EQ(error_of(std::string(kGood) + " zoo"), "there are 25 words and not 24");
  EXPECT_EQ(error_of(std::string(kGood) + " " + kGood), "there are 48 words and not 24");
  EXPECT_EQ(error_of(""), "there are 0 words and not 24");
  EXPECT_EQ(error_of(" \n"), "there are 0 words and not 24");
  EXPECT_EQ(error_of("zoo"), "there is 1 word and not 24");
  EXPECT_EQ(error_of(std::string(kGood) + std::string(1, '\0')), "word 24 is not in the list");
}

TEST(Bip39, SwappedWordsAreSeen) {
  const std::string checksum = "the checksum does not fit: a word is wrong or two are swapped";
  const std::vector<std::string> words = split(kGood);
  int seen = 0, tried = 0;
  for (std::size_t a = 0; a < 24; ++a)
    for (std::size_t b = a + 1; b < 24; ++b) {
      std::vector<std::string> swapped = words;
      std::swap(swapped[a], swapped[b]);
      ++tried;
      const std::string error = error_of(joined(swapped));
      if (error == checksum)
        ++seen;
      else
        EXPECT_EQ(error, "none");
    }
  EXPECT_GE(seen, tried * 95 / 100);  // one in 256 fits by chance
}

TEST(Bip39, OneWordIsReadAsItIsTyped) {
  EXPECT_EQ(text_of(bip39_word(secret(" PATR\t")).value()), "patrol");
  EXPECT_EQ(text_of(bip39_word(secret("zoo")).value()), "zoo");
  for (const char* bad : {"", " ", "zo", "zoo zoo", "zooo"})
    EXPECT_FALSE(bip39_word(secret(bad)).has_value());
}

TEST(Bip39DeathTest, UncheckedWordsAreABug) {
  EXPECT_DEATH((void)bip39_seed(secret("zoo")), "");
  EXPECT_DEATH((void)bip39_words(SecretBytes::zeros(16)), "");
}

}  // namespace
}  // namespace popvault::crypto
