#include <gtest/gtest.h>

#include "crypto/random.hpp"
#include "gate/proofs.hpp"

namespace popvault::gate {
namespace {

struct Signer {
  crypto::SigningKey key = crypto::SigningKey::from_seed(crypto::random_secret(32));
  Json proof(const std::string& challenge) const {
    Json p;
    p.set("challenge", challenge);
    p.set("public_key", key.public_key().hex());
    p.set("signature", key.sign(as_bytes(challenge)).hex());
    return p;
  }
};

class ProofsTest : public ::testing::Test {
 protected:
  std::string ask() {
    return proofs.challenge("vlt_x", "purchase.approve", request_hash("purchase.approve", params), at);
  }
  Errc check(const Json& proof, std::string_view method = "purchase.approve") {
    const Status s = proofs.check(proof, method, params, keys, at);
    return s ? Errc::usage : s.error().code;  // usage stands for "good"
  }
  void pass(std::int64_t ms) {
    at.monotonic_ms += ms;
    at.now = 1000 + at.monotonic_ms / 1000;
  }
  Proofs proofs;
  Signer owner, other;
  std::vector<crypto::PublicKey> keys{owner.key.public_key()};
  Moment at{1000, 0, 0};
  Json params = *Json::parse("{\"purchase\":\"pur_x\"}");
};

TEST_F(ProofsTest, GoodOnce) {
  const Json proof = owner.proof(ask());
  EXPECT_EQ(check(proof), Errc::usage);
  EXPECT_EQ(check(proof), Errc::proof_expired);
}

TEST_F(ProofsTest, EveryWrongOne) {
  EXPECT_EQ(check(other.proof(ask())), Errc::proof_invalid) << "a key that is not enrolled";
  EXPECT_EQ(check(owner.proof(ask()), "policy.set"), Errc::proof_invalid) << "another method";
  Json proof = owner.proof(ask());
  params.set("purchase", "pur_y");
  EXPECT_EQ(check(proof), Errc::proof_invalid) << "other parameters";
  proof = owner.proof(ask());
  proof.set("signature", std::string(128, '0'));
  EXPECT_EQ(check(proof), Errc::proof_invalid) << "no signature";
  proof = owner.proof(ask());
  proof.set("public_key", other.key.public_key().hex());
  EXPECT_EQ(check(proof), Errc::proof_invalid) << "another public key";
  EXPECT_EQ(check(owner.proof("{\"made\":\"up\"}")), Errc::proof_expired) << "a challenge of the caller's own";
  proof = owner.proof(ask());
  proof.set("more", 1);
  EXPECT_EQ(check(proof), Errc::invalid_params);
}

TEST_F(ProofsTest, AChallengeLivesTwoMinutesToTheMillisecond) {
  Json proof = owner.proof(ask());
  pass(kChallengeValid * 1000);
  EXPECT_EQ(check(proof), Errc::usage);
  proof = owner.proof(ask());
  pass(kChallengeValid * 1000 + 1);
  EXPECT_EQ(check(proof), Errc::proof_expired);
}

TEST_F(ProofsTest, NeitherClockAloneMakesAChallengeLonger) {
  Json proof = owner.proof(ask());
  at.now += kChallengeValid + 1;
  EXPECT_EQ(check(proof), Errc::proof_expired) << "the wall clock says that it is over";
  proof = owner.proof(ask());
  at.now -= 1'000'000;
  at.monotonic_ms += kChallengeValid * 1000 + 1;
  EXPECT_EQ(check(proof), Errc::proof_expired) << "the wall clock was put back";
}

TEST_F(ProofsTest, EndsWithALockAndIsBounded) {
  const Json proof = owner.proof(ask());
  ++at.locks;
  EXPECT_EQ(check(proof), Errc::proof_expired);
  Json early = owner.proof(ask());
  for (int i = 0; i < 3; ++i) ask();
  EXPECT_EQ(check(early), Errc::usage) << "three newer ones";
  early = owner.proof(ask());
  for (int i = 0; i < 4; ++i) ask();
  EXPECT_EQ(check(early), Errc::proof_expired) << "four newer ones";
}

TEST_F(ProofsTest, KeptForFifteenIdleMinutesToTheMillisecond) {
  EXPECT_FALSE(proofs.kept(keys, at)) << "before any proof";
  ASSERT_EQ(check(owner.proof(ask())), Errc::usage);
  for (int i = 0; i < 3; ++i) {
    pass(kProofKeptMs);
    EXPECT_TRUE(proofs.kept(keys, at)) << "each use begins them anew";
  }
  pass(kProofKeptMs + 1);
  EXPECT_FALSE(proofs.kept(keys, at));
  at.monotonic_ms -= 1;
  EXPECT_FALSE(proofs.kept(keys, at)) << "over is over";
}

TEST_F(ProofsTest, ThePutBackWallClockKeepsNothing) {
  ASSERT_EQ(check(owner.proof(ask())), Errc::usage);
  at.monotonic_ms += kProofKeptMs + 1;
  at.now -= 1'000'000;
  EXPECT_FALSE(proofs.kept(keys, at));
}

TEST_F(ProofsTest, WhatEndsAKeptOne) {
  const auto prove = [&] { EXPECT_EQ(check(owner.proof(ask())), Errc::usage); };
  prove();
  ++at.locks;
  EXPECT_FALSE(proofs.kept(keys, at)) << "a lock";
  prove();
  EXPECT_EQ(check(other.proof(ask())), Errc::proof_invalid);
  EXPECT_FALSE(proofs.kept(keys, at)) << "a wrong proof";
  prove();
  keys = {other.key.public_key()};
  EXPECT_FALSE(proofs.kept(keys, at)) << "the end of its key";
  keys.push_back(owner.key.public_key());
  EXPECT_FALSE(proofs.kept(keys, at)) << "for good";
}

// What ssh and ssh-keygen -Y make of the same key is no proof: what they sign never begins with '{'.
TEST_F(ProofsTest, ASignatureForAnotherPurposeIsNone) {
  const std::string text = ask();
  ASSERT_EQ(text.front(), '{');
  const std::string digest(64, 'd');
  const std::string others[] = {
      std::string("SSHSIG\0\0\0\x08popvault\0\0\0\0\0\0\0\x06sha512", 32) + digest,  // of a file, PROTOCOL.sshsig
      std::string("\0\0\0\x20", 4) + std::string(32, 's') + "\x32" + text,              // of a login, RFC 4252 section 7
      text + "\n", " " + text};
  for (const std::string& signed_instead : others) {
    const std::string challenge = ask();
    Json proof = owner.proof(signed_instead);
    EXPECT_EQ(check(proof), Errc::proof_expired) << "the daemon never asked for it";
    proof.set("challenge", challenge);
    EXPECT_EQ(check(proof), Errc::proof_invalid) << "and it is none of the challenge";
  }
}

}  // namespace
}  // namespace popvault::gate
