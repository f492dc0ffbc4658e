// The published vectors of this are those of the age format: tests/unit/backup/age_vectors_test.cpp.
#include "crypto/chunk_cipher.hpp"

#include <gtest/gtest.h>

#include "crypto/digest.hpp"
#include "crypto/random.hpp"

namespace popvault::crypto {
namespace {

TEST(ChunkCipher, OpensItsChunksInTheirOrderOnly) {
  const SecretBytes key = random_secret(32);
  ChunkCipher writer(key.clone());
  Bytes sealed[3];
  for (std::size_t i = 0; i < 3; ++i) {
    sealed[i].resize(i + kChunkTagSize);
    writer.seal(Bytes(i, 'x'), i == 2, sealed[i]);
  }
  ChunkCipher reader(key.clone());
  Bytes out(2, 'y');
  EXPECT_FALSE(reader.open(sealed[1], false, std::span(out).first(1)));
  EXPECT_EQ(out[0], 0);
  EXPECT_FALSE(reader.open(sealed[0], true, {}));
  EXPECT_TRUE(reader.open(sealed[0], false, {}));
  EXPECT_TRUE(reader.open(sealed[1], false, std::span(out).first(1)));
  EXPECT_FALSE(reader.open(sealed[2], false, out));
  EXPECT_TRUE(reader.open(sealed[2], true, out));
  EXPECT_EQ(out, Bytes(2, 'x'));
  EXPECT_EQ(reader.count(), 3U);
  EXPECT_FALSE(reader.open(sealed[2], true, out));
}

TEST(ChunkCipher, WrapsOneMessage) {
  const SecretBytes key = random_secret(32);
  const SecretBytes message = random_secret(16);
  Bytes wrapped = wrap_once(key, message);
  EXPECT_EQ(wrapped.size(), 32U);
  EXPECT_TRUE(unwrap_once(key, wrapped).value() == message);
  for (std::size_t size = 0; size < wrapped.size(); ++size)
    EXPECT_FALSE(unwrap_once(key, ByteView(wrapped).first(size)));
  wrapped[5] ^= 1;
  EXPECT_FALSE(unwrap_once(key, wrapped));
}

TEST(Sha256, PieceByPieceIsTheWhole) {
  Bytes data(1000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 3);
  for (const std::size_t piece : {1U, 63U, 64U, 65U, 1000U}) {
    Sha256 hash;
    EXPECT_EQ(hash.so_far(), sha256(ByteView{}));
    for (std::size_t at = 0; at < data.size(); at += piece) {
      hash.update(ByteView(data).subspan(at, std::min<std::size_t>(piece, data.size() - at)));
      EXPECT_EQ(hash.so_far(), sha256(ByteView(data).first(std::min<std::size_t>(at + piece, data.size()))));
    }
  }
}

}  // namespace
}  // namespace popvault::crypto
