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
  std::string ask(Seconds now = 1000) {
    return proofs.challenge("vlt_x", "purchase.approve", request_hash("purchase.approve", params), now);
  }
  Errc check(const Json& proof, std::string_view method = "purchase.approve", Seconds now = 1000) {
    const Status s = proofs.check(proof, method, params, {owner.key.public_key()}, now);
    return s ? Errc::usage : s.error().code;  // usage stands for "good"
  }
  Proofs proofs;
  Signer owner, other;
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

TEST_F(ProofsTest, LivesTwoMinutesToTheSecond) {
  EXPECT_EQ(check(owner.proof(ask(1000)), "purchase.approve", 1000 + kChallengeValid), Errc::usage);
  EXPECT_EQ(check(owner.proof(ask(1000)), "purchase.approve", 1000 + kChallengeValid + 1), Errc::proof_expired);
}

TEST_F(ProofsTest, EndsWithALockAndIsBounded) {
  const Json proof = owner.proof(ask());
  EXPECT_EQ(proofs.check(proof, "purchase.approve", params, {owner.key.public_key()}, 1000, 1).error().code, Errc::proof_expired);
  const Json early = owner.proof(ask());
  for (int i = 0; i < 4; ++i) ask();
  EXPECT_EQ(check(early), Errc::proof_expired);
}

}  // namespace
}  // namespace popvault::gate
