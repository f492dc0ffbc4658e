#include <gtest/gtest.h>

#include <set>

#include "crypto/random.hpp"
#include "daemon/browser.hpp"
#include "daemon/dispatch.hpp"
#include "daemon/proofs.hpp"
#include "daemon/purchases.hpp"
#include "daemon/rates.hpp"

namespace popvault::daemon {
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

TEST(Dispatch, EveryOwnerMethodAndItsProof) {
  // A new method must be written down here with its level: the default is fresh.
  const std::set<std::string_view> none = {
      "owner.hello",  "vault.status", "vault.init",   "vault.unlock",  "vault.lock",    "vault.freeze",  "daemon.stop",
      "proof.challenge", "record.add", "record.list", "record.show",   "agent.list",    "agent.revoke",  "policy.show",
      "policy.unset", "config.get",   "purchase.list", "purchase.deny", "audit.list",   "audit.verify",
      "vault.epochs", "vault.check", "recovery.report", "vault.recover",
      "backup.verify", "backup.restore"};
  const std::set<std::string_view> fresh = {"vault.unfreeze", "record.export", "agent.add", "policy.set", "config.set",
                                            "purchase.approve", "purchase.settle", "purchase.release",
                                            "record.edit", "record.remove", "record.reveal", "record.restore", "vault.rekey",
                                            "vault.rotate", "recovery.create", "recovery.show", "backup.create"};
  std::set<std::string_view> seen;
  for (const Method& method : methods(Door::owner)) {
    seen.insert(method.name);
    EXPECT_EQ(method.proof == Proof::none, none.contains(method.name)) << method.name;
    EXPECT_EQ(method.proof == Proof::fresh, fresh.contains(method.name)) << method.name;
  }
  EXPECT_EQ(seen.size(), none.size() + fresh.size());
}

TEST(Dispatch, AgentsHaveNoOwnerMethodButStatus) {
  for (const Method& a : methods(Door::agent))
    for (const Method& o : methods(Door::owner))
      if (a.name == o.name) EXPECT_EQ(a.name, "vault.status");
}

TEST(Dispatch, OnlyTheseAnswerWithoutAnAgent) {
  for (const Method& method : methods(Door::agent))
    EXPECT_EQ(!method.needs_agent, method.name == "vault.status" || method.name == "session.hello") << method.name;
}

TEST(Purchases, TheStateMachine) {
  const char* const states[] = {"awaiting_approval", "approved", "denied",   "canceled", "expired",
                                "filling",           "filled",   "settled",  "released", "outcome_unknown"};
  const std::set<std::pair<std::string, std::string>> allowed = {
      {"awaiting_approval", "approved"}, {"awaiting_approval", "denied"}, {"awaiting_approval", "canceled"},
      {"awaiting_approval", "expired"},  {"approved", "filling"},         {"approved", "canceled"},
      {"approved", "denied"},            {"approved", "expired"},         {"filling", "filled"},
      {"filling", "outcome_unknown"},    {"filled", "settled"},           {"outcome_unknown", "settled"},
      {"outcome_unknown", "released"}};
  for (const char* from : states)
    for (const char* to : states) EXPECT_EQ(may_become(from, to), allowed.contains({from, to})) << from << " -> " << to;
}

TEST(Rates, ABurstAndThenOneASecond) {
  Rates rates;
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(rates.take("a", 0));
  EXPECT_EQ(rates.take("a", 999).error().code, Errc::rate_limited);
  EXPECT_TRUE(rates.take("b", 999));
  EXPECT_TRUE(rates.take("a", 1001));
  EXPECT_FALSE(rates.take("a", 1002));
}

TEST(Browser, Endpoints) {
  EXPECT_TRUE(parse_endpoint("http://127.0.0.1:9222"));
  EXPECT_TRUE(parse_endpoint("http://localhost:9222"));
  EXPECT_TRUE(parse_endpoint("http://[::1]:9222")->ipv6);
  for (const char* wrong : {"", "127.0.0.1:9222", "https://127.0.0.1:9222", "http://10.0.0.1:9222", "http://127.0.0.1:9222/x",
                            "http://example.com:9222", "ws://127.0.0.1:9222", "http://127.0.0.2:9222"})
    EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
}

TEST(Browser, Switches) {
  EXPECT_FALSE(refused_switch({"/usr/bin/chromium", "--headless", "--remote-debugging-port=9222"}));
  EXPECT_FALSE(refused_switch({"chromium", "--remote-debugging-address=127.0.0.1"}));
  for (const char* bad : {"--log-net-log=/tmp/x", "--proxy-server=1.2.3.4:80", "--v=1", "--vmodule=*=2", "--host-rules=x",
                          "--ssl-key-log-file=/tmp/k", "--remote-debugging-address=0.0.0.0", "--log-net-log", "-log-net-log=/tmp/x", "-proxy-server=x"})
    EXPECT_TRUE(refused_switch({"chromium", bad})) << bad;
}

}  // namespace
}  // namespace popvault::daemon
