#include <gtest/gtest.h>

#include <set>

#include "daemon/browser.hpp"
#include "daemon/dispatch.hpp"

namespace popvault::daemon {
namespace {

TEST(Dispatch, EveryOwnerMethodAndItsProof) {
  // A new method must be written down here with its level: the default is fresh.
  const std::set<std::string_view> none = {
      "owner.hello",  "vault.status", "vault.init",   "vault.unlock",  "vault.lock",    "vault.freeze",  "daemon.stop",
      "proof.challenge", "record.add", "record.list", "record.show",   "agent.list",    "agent.suspend", "agent.revoke",
      "authenticator.list", "policy.show", "recipe.list", "recipe.remove",
      "policy.unset", "policy.narrow", "policy.preview", "policy.explain", "config.get",   "purchase.list", "purchase.deny", "audit.list",   "audit.verify",
      "vault.epochs", "vault.check", "events.subscribe", "recovery.report", "vault.recover",
      "backup.verify", "backup.restore", "grant.list", "grant.revoke", "browser.start", "browser.stop"};
  const std::set<std::string_view> kept = {"record.edit", "record.remove", "record.restore", "agent.rotate", "agent.resume",
                                           "purchase.settle", "purchase.release", "backup.create", "vault.rotate",
                                           "audit.export"};
  const std::set<std::string_view> fresh = {"vault.unfreeze", "record.export", "agent.add", "policy.set", "config.set",
                                            "purchase.approve", "record.reveal", "vault.rekey", "recovery.create",
                                            "recovery.show", "authenticator.add", "authenticator.remove", "purchase.adjust", "grant.create",
                                            "audit.purge", "recipe.add", "recipe.pin", "recipe.rollback"};
  std::set<std::string_view> seen;
  for (const Method& method : methods(Door::owner)) {
    seen.insert(method.name);
    EXPECT_EQ(method.proof == Proof::none, none.contains(method.name)) << method.name;
    EXPECT_EQ(method.proof == Proof::session, kept.contains(method.name)) << method.name;
    EXPECT_EQ(method.proof == Proof::fresh, fresh.contains(method.name)) << method.name;
  }
  EXPECT_EQ(seen.size(), none.size() + kept.size() + fresh.size());
}

TEST(Dispatch, TheDefaultIsFresh) {
  EXPECT_EQ(Method{}.proof, Proof::fresh);
  EXPECT_EQ(Proof{}, Proof::fresh);
}

TEST(Dispatch, AgentsHaveNoOwnerMethodButStatusAndEvents) {
  for (const Method& a : methods(Door::agent))
    for (const Method& o : methods(Door::owner))
      if (a.name == o.name) EXPECT_TRUE(a.name == "vault.status" || a.name == "events.subscribe") << a.name;
}

TEST(Dispatch, OnlyTheseAnswerWithoutAnAgent) {
  for (const Method& method : methods(Door::agent))
    EXPECT_EQ(!method.needs_agent, method.name == "vault.status" || method.name == "session.hello") << method.name;
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
