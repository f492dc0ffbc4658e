// The signatures of recipes/: each file's fits signer.pub, and no other bytes do.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "crypto/sign.hpp"

using namespace popvault;

namespace {

const std::filesystem::path kFolder = POPVAULT_SOURCE_DIR "/recipes";

std::string file(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

template <class T>
T hex_of(const std::filesystem::path& path) {
  T out;
  std::string text = file(path);
  EXPECT_TRUE(text.ends_with('\n')) << path;
  text.pop_back();
  const auto bytes = from_hex(text);
  EXPECT_TRUE(bytes && bytes->size() == out.bytes.size()) << path;
  if (bytes && bytes->size() == out.bytes.size()) std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
  return out;
}

TEST(ShippedRecipes, AreSignedByTheSigner) {
  const auto signer = hex_of<crypto::PublicKey>(kFolder / "signer.pub");
  EXPECT_TRUE(crypto::valid_public_key(signer));
  std::size_t recipes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".json") continue;
    ++recipes;
    std::string text = file(entry.path());
    auto signature = hex_of<crypto::Signature>(entry.path().string() + ".sig");
    EXPECT_TRUE(crypto::verify(signer, as_bytes(text), signature)) << entry.path();
    for (std::size_t at = 0; at < text.size(); at += 97) {
      text[at] ^= 1;
      EXPECT_FALSE(crypto::verify(signer, as_bytes(text), signature)) << entry.path() << " " << at;
      text[at] ^= 1;
    }
    EXPECT_FALSE(crypto::verify(signer, as_bytes(text + "\n"), signature));
    signature.bytes[5] ^= 1;
    EXPECT_FALSE(crypto::verify(signer, as_bytes(text), signature));
  }
  EXPECT_GE(recipes, 9U);
}

}  // namespace
