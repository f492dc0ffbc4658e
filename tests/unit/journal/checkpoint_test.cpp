#include "journal/checkpoint.hpp"

#include <gtest/gtest.h>

namespace popvault::journal {
namespace {

constexpr std::string_view kVault = "vlt_abcdefghijklmnopqrstuvwxyz";

SecretBytes seed(std::uint8_t first) {
  const Bytes bytes(32, first);
  return SecretBytes::copy_of(bytes);
}

Checkpoint sample() {
  Head head{7, {}};
  head.hash.bytes.fill(0xab);
  return sign_checkpoint(seed(1), kVault, head, 1795000000);
}

bool verifies(const Checkpoint& checkpoint, std::string_view vault = kVault) {
  const auto key = crypto::SigningKey::from_seed(seed(1)).public_key();
  const Status verified = verify_checkpoint(key, vault, checkpoint);
  if (!verified) EXPECT_EQ(verified.error().code, Errc::checkpoint_invalid);
  return verified.has_value();
}

TEST(Checkpoint, VerifiesOnlyAsItWasSigned) {
  EXPECT_TRUE(verifies(sample()));
  EXPECT_FALSE(verifies(sample(), "vlt_other")) << "another vault";
  const auto changed = [](auto change) {
    Checkpoint c = sample();
    change(c);
    return c;
  };
  EXPECT_FALSE(verifies(changed([](auto& c) { c.head.seq += 1; })));
  EXPECT_FALSE(verifies(changed([](auto& c) { c.at += 1; })));
  EXPECT_FALSE(verifies(changed([](auto& c) { c.head.hash.bytes[31] ^= 1; })));
  EXPECT_FALSE(verifies(changed([](auto& c) { c.signature.bytes[0] ^= 1; })));
  EXPECT_FALSE(verifies(changed([](auto& c) { c.public_key.bytes[0] ^= 1; })));
  const Checkpoint forged = sign_checkpoint(seed(2), kVault, sample().head, sample().at);
  EXPECT_FALSE(verifies(forged)) << "a good signature of another key";
}

TEST(Checkpoint, CanonicalBytes) {
  Head head{258, {}};
  head.hash.bytes.fill(0x11);
  EXPECT_EQ(to_hex(checkpoint_bytes("vlt_a", head, 1795000000)),
            "5056435031" "0005" "766c745f61" "0000000000000102" "000000006afd86c0" + std::string(64, '1'));
}

TEST(Checkpoint, JsonAndBack) {
  const Json json = to_json(sample());
  const auto back = checkpoint_from_json(json);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, sample());
  for (const char* member : {"at", "hash", "public_key", "seq", "signature"}) {
    Json broken = json;
    broken.erase(member);
    EXPECT_FALSE(checkpoint_from_json(broken)) << member;
    broken.set(member, Json());
    EXPECT_FALSE(checkpoint_from_json(broken)) << member;
  }
  Json more = json;
  more.set("more", 1);
  EXPECT_FALSE(checkpoint_from_json(more));
  Json upper = json;
  upper.set("hash", std::string(64, 'A'));
  EXPECT_FALSE(checkpoint_from_json(upper)) << "one form of hex only";
  EXPECT_FALSE(checkpoint_from_json(Json()));
}

}  // namespace
}  // namespace popvault::journal
