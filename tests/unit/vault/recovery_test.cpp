// The example of docs/VAULT_FORMAT.md, made by another implementation, is run by format_doc_test.cpp.
#include "vault/recovery.hpp"

#include <gtest/gtest.h>

#include "crypto/bech32.hpp"
#include "crypto/bip39.hpp"
#include "crypto/digest.hpp"
#include "crypto/random.hpp"

namespace popvault {
namespace {

SecretBytes secret(std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); }

const char* const kWords =
    "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol "
    "group space point ten exist slush involve unfold";
const char* const kVault = "vlt_aaaaaaaaaaaaaaaaaaaaaaaaaa";

class Slot : public testing::Test {
 protected:
  Bytes seal(const SecretBytes& a) {
    const SecretBytes* const keys[] = {&a};
    return seal_slot(public_, kVault, keys).value();
  }
  Bytes seal(const SecretBytes& a, const SecretBytes& b) {
    const SecretBytes* const keys[] = {&a, &b};
    return seal_slot(public_, kVault, keys).value();
  }
  Errc refusal(ByteView slot) {
    const auto opened = open_slot(keys_.x25519, kVault, slot);
    return opened ? Errc::internal : opened.error().code;
  }
  RecoveryKeys keys_ = recovery_keys(secret(kWords));
  crypto::X25519PublicKey public_ = crypto::x25519_public(keys_.x25519);
  SecretBytes one_ = crypto::random_secret(32);
  SecretBytes two_ = crypto::random_secret(32);
};

void resign(Bytes& slot) {
  const auto digest = crypto::sha256(ByteView(slot).first(slot.size() - 32));
  std::copy(digest.bytes.begin(), digest.bytes.end(), slot.end() - 32);
}

TEST_F(Slot, OneKeyAndTwoComeBackInOrder) {
  const Bytes single = seal(one_);
  EXPECT_EQ(single.size(), 132U);
  auto opened = open_slot(keys_.x25519, kVault, single).value();
  ASSERT_EQ(opened.size(), 1U);
  EXPECT_TRUE(opened[0] == one_);
  const Bytes both = seal(one_, two_);
  EXPECT_EQ(both.size(), 224U);
  opened = open_slot(keys_.x25519, kVault, both).value();
  ASSERT_EQ(opened.size(), 2U);
  EXPECT_TRUE(opened[0] == one_ && opened[1] == two_);
}

TEST_F(Slot, EachSealingIsFresh) { EXPECT_NE(seal(one_), seal(one_)); }

TEST_F(Slot, AnyBitChangedIsDamage) {
  for (const Bytes& whole : {seal(one_), seal(one_, two_)})
    for (std::size_t at = 0; at < whole.size(); ++at)
      for (unsigned bit = 0; bit < 8; ++bit) {
        Bytes changed = whole;
        changed[at] = static_cast<std::uint8_t>(changed[at] ^ 1U << bit);
        EXPECT_EQ(refusal(changed), Errc::slot_damaged) << at;
      }
}

TEST_F(Slot, AnyCutOrAdditionIsDamage) {
  const Bytes whole = seal(one_, two_);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(refusal(ByteView(whole).first(size)), Errc::slot_damaged) << size;
  Bytes longer = whole;
  for (int i = 0; i < 200; ++i) {
    longer.push_back(0);
    EXPECT_EQ(refusal(longer), Errc::slot_damaged);
  }
}

TEST_F(Slot, AWholeSlotOfOtherWordsOrAnotherVault) {
  const Bytes slot = seal(one_, two_);
  const auto other = open_slot(crypto::random_secret(32), kVault, slot);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::words_wrong);
  const auto elsewhere = open_slot(keys_.x25519, "vlt_bbbbbbbbbbbbbbbbbbbbbbbbbb", slot);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code, Errc::words_wrong);
}

TEST_F(Slot, AChangeWithARightDigestOpensNothing) {
  const Bytes whole = seal(one_);
  for (std::size_t at = 8; at < whole.size() - 32; ++at) {
    Bytes changed = whole;
    changed[at] = static_cast<std::uint8_t>(changed[at] ^ 4U);
    resign(changed);
    EXPECT_NE(refusal(changed), Errc::internal) << at;
  }
  Bytes half = seal(one_, two_);
  half[half.size() - 33] ^= 1;
  resign(half);
  EXPECT_EQ(refusal(half), Errc::slot_damaged);
  Bytes zero = whole;
  std::fill(zero.begin() + 8, zero.begin() + 40, std::uint8_t{0});
  resign(zero);
  EXPECT_EQ(refusal(zero), Errc::slot_damaged);
}

TEST_F(Slot, WhatCannotBeSealed) {
  EXPECT_EQ(seal_slot(public_, kVault, {}).error().code, Errc::internal);
  const SecretBytes* const three[] = {&one_, &two_, &one_};
  EXPECT_EQ(seal_slot(public_, kVault, three).error().code, Errc::internal);
  const SecretBytes cut = SecretBytes::zeros(31);
  const SecretBytes* const short_one[] = {&cut};
  EXPECT_EQ(seal_slot(public_, kVault, short_one).error().code, Errc::internal);
  const SecretBytes* const fine[] = {&one_};
  EXPECT_EQ(seal_slot(crypto::X25519PublicKey{}, kVault, fine).error().code, Errc::invalid_params);
}

TEST(RecoveryKeys, DoNotDependOnHowTheWordsAreWritten) {
  const RecoveryKeys a = recovery_keys(secret(kWords));
  std::string loud = " ";
  for (const char c : std::string_view(kWords))
    loud += c == ' ' ? "\n" : std::string(1, static_cast<char>(std::toupper(c)));
  const RecoveryKeys b = recovery_keys(secret(loud));
  EXPECT_TRUE(a.x25519 == b.x25519 && a.signing == b.signing);
  EXPECT_FALSE(a.x25519 == a.signing);
}

TEST(RecoveryKeys, AgeForms) {
  const RecoveryKeys keys = recovery_keys(secret(kWords));
  const auto public_key = crypto::x25519_public(keys.x25519);
  const std::string recipient = age_recipient(public_key);
  EXPECT_TRUE(recipient.starts_with("age1"));
  EXPECT_EQ(to_hex(crypto::bech32_read("age", recipient).value()), public_key.hex());
  const SecretBytes identity = age_identity(keys.x25519);
  EXPECT_TRUE(crypto::bech32_secret_read("AGE-SECRET-KEY-", identity).value() == keys.x25519);
}

}  // namespace
}  // namespace popvault
