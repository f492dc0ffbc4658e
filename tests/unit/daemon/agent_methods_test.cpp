// Every method of agent.sock through dispatch() itself, with each thing that stops an agent, over a session in memory: what
// is answered, and that nothing is journalled as a use or unwrapped. A new method must be written down here.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "crypto/digest.hpp"
#include "daemon/application.hpp"
#include "daemon/dispatch.hpp"
#include "session/records.hpp"
#include "support/memory_vfs.hpp"
#include "support/test_clock.hpp"

namespace popvault::daemon {
namespace {

using gate::Step;

SecretBytes key() { return SecretBytes::copy_of(Bytes(32, 7)); }
constexpr const char* kKey = "pak_a";

// Steps of the gate that a method may take when nothing stops it; none: it only looks.
const std::map<std::string_view, Step> kMethods = {
    {"vault.status", Step{}},          {"session.hello", Step{}},        {"credentials.list", Step{}},
    {"credentials.get", Step{}},       {"purchase.request", Step::approve}, {"purchase.status", Step{}},
    {"purchase.wait", Step{}},         {"purchase.fill", Step::approve}, {"purchase.cancel", Step{}},
    {"identity.fill", Step::authority}, {"login.fill", Step::authority},
    {"events.subscribe", Step{}},
};

class AgentMethods : public testing::Test {
 protected:
  void SetUp() override {
    session_ = std::move(*Session::open("/home/vault", fs_, clock_));
    ASSERT_TRUE(session_->init(VaultMode::passphrase, key()));
    ASSERT_TRUE(session_->unlock(key()));
    SecretFields fields;
    for (const auto& [name, value] : {std::pair("number", "4242424242424242"), {"exp_month", "12"}, {"exp_year", "2034"}})
      ASSERT_TRUE(fields.set(name, as_bytes(value)));
    card_ = add_record(*session_, "card", "One", std::move(fields))->id;
    store::Row agent{"agt_a", 0, {}};
    agent.body.set("expires_at", clock_.now_ + 1000);
    agent.body.set("key_sha256", crypto::sha256(as_bytes(kKey)).hex());
    agent.body.set("name", "a");
    agent.body.set("status", "active");
    put(store::Table::agents, agent);
    policy::Policy p;
    p.merchants = {{"https://shop.example", {}}};
    p.records = {"*"};
    p.currency = "USD";
    p.per_use = p.per_day = p.per_month = 100'000;
    p.uses_per_hour = 100;
    p.minimum = policy::Strength::dom;
    put(store::Table::policies, {"agt_a", 0, gate::policy_to_json(p)});
    peer_.caller.agent = "agt_a";
    peer_.caller.agent_key = crypto::sha256(as_bytes(kKey)).hex();
    peer_.sighted = true;
    begin();
    // Something to look at, to use and to give up: approved.
    const auto answers = app_->gate.request({{peer_.caller, request("first")}});
    purchase_ = answers.front().purchase.value().id;
    ASSERT_TRUE(app_->gate.approve(purchase_, false));
    seen_.clear();
  }
  void begin() {
    spawner_.emplace(std::move(*Spawner::start(std::move(*sealed_copy("/bin/true")), std::move(*sealed_copy("/bin/true")))));
    loop_ = std::make_unique<Loop>();
    injections_.emplace(*loop_, *spawner_);
    guard_.emplace(*loop_, *spawner_);
    app_.reset(new Application{*loop_, *session_, *injections_, *guard_, "injector"});
    app_->gate.watch([this](Step step) { seen_.push_back(step); });
  }
  void put(store::Table table, const store::Row& row) {
    auto tx = session_->begin();
    ASSERT_TRUE(tx->put(table, row));
    ASSERT_TRUE(tx->journal(journal::Kind::config_set, {}));
    ASSERT_TRUE(session_->commit(*tx));
  }
  Json request(const std::string& key) {
    Json p;
    p.set("amount_minor", 1'000);
    p.set("currency", "USD");
    p.set("idempotency_key", key);
    p.set("merchant_origin", "https://shop.example");
    p.set("reason", "x");
    p.set("record", card_);
    return p;
  }
  Json good_params(std::string_view method) {
    Json p(Json::Object{});
    if (method == "session.hello") p.set("agent_key", kKey), p.set("client", "test");
    if (method == "credentials.get") p.set("id", card_);
    if (method == "purchase.request") return request("second");
    if (method == "purchase.wait") p.set("timeout_ms", 0);
    if (method == "identity.fill" || method == "login.fill") {
      // Records that the policy does not name.
      p = Json::Object{{"idempotency_key", method}, {"merchant_origin", "https://shop.example"}, {"reason", "x"},
                       {"record", method == "identity.fill" ? "idn_a" : "lgn_a"}};
    }
    if (method.ends_with(".fill")) {
      Json page;
      page.set("url", "https://shop.example/pay");
      p.set("page", std::move(page));
    }
    if (method.starts_with("purchase.") && method != "purchase.request") p.set("purchase", purchase_);
    return p;
  }
  // The reason word of an error, or "ok".
  static std::string word_of(const std::string& line) {
    const auto reply = Json::parse(line);
    if (!reply) return "no answer";
    const Json& error = (*reply)["error"];
    return error.is_null() ? "ok" : error["data"]["reason"].text_or("?");
  }
  // Every method with good parameters, in the table's order: what was answered.
  std::map<std::string, std::string> walk(bool hello) {
    std::map<std::string, std::string> lines, out;
    for (const Method& method : methods(Door::agent)) {
      if (method.name == "session.hello" && !hello) continue;
      Json message;
      message.set("id", 1);
      message.set("jsonrpc", "2.0");
      message.set("method", method.name);
      message.set("params", good_params(method.name));
      dispatch(*app_, peer_, message.dump(), {}, [&lines, name = std::string(method.name)](std::string line, Descriptor passed) {
        EXPECT_LT(passed.get(), 0) << name << ": no descriptor ever goes to an agent";
        EXPECT_EQ(line.find("4242424242424242"), line.npos) << name;
        lines[name] = std::move(line);
      });
    }
    // What was put off to the end of the turn.
    loop_->post([this] { loop_->stop(); });
    loop_->run();
    for (const auto& [method, line] : lines) out[method] = word_of(line);
    EXPECT_EQ(out.size(), methods(Door::agent).size() - (hello ? 0 : 1)) << "each is answered";
    return out;
  }
  void expect_nothing_used() {
    for (const Step step : seen_) EXPECT_LE(step, Step::approve) << "journalled or unwrapped";
    if (session_->store().unsealed()) EXPECT_TRUE(session_->store().journal_of(journal::Kind::use_begin, 0)->empty());
  }

  test::TestClock clock_;
  test::MemoryFs files_;
  test::FaultPlan plan_;
  test::FaultyFs fs_{files_, plan_};
  test::MemoryVfs vfs_{files_, plan_};
  std::unique_ptr<Session> session_;
  std::optional<Spawner> spawner_;
  std::unique_ptr<Loop> loop_;
  std::optional<Injections> injections_;
  std::optional<Guard> guard_;
  std::unique_ptr<Application> app_;
  Peer peer_;
  std::string card_, purchase_;
  std::vector<Step> seen_;
};

TEST_F(AgentMethods, AllAreHere) {
  std::set<std::string_view> known, there;
  for (const auto& [name, furthest] : kMethods) known.insert(name);
  for (const Method& method : methods(Door::agent)) there.insert(method.name);
  EXPECT_EQ(there, known) << "say here what a new method may do, and how it is stopped";
}

// The control: nothing stops it.
TEST_F(AgentMethods, TheHonestWay) {
  for (const auto& [method, word] : walk(true))
    EXPECT_EQ(word, method == "purchase.fill" ? "browser_not_enrolled" : method.ends_with(".fill") ? "not_found" : "ok") << method;
  expect_nothing_used();
  Step furthest{};
  for (const Step step : seen_) furthest = std::max(furthest, step);
  EXPECT_EQ(furthest, Step::approve);
}

struct Stop {
  const char* what;
  const char* word;  // what every method that needs an agent answers
  std::function<void()> make;
};

TEST_F(AgentMethods, WhatStopsAnAgentStopsEveryMethod) {
  const auto agent = [this](std::string_view member, Json value) {
    store::Row row = session_->store().get(store::Table::agents, "agt_a").value().value();
    row.body.set(member, std::move(value));
    put(store::Table::agents, row);
  };
  const std::vector<Stop> stops = {
      {"no hello", "unauthenticated", [&] { peer_.caller.agent.clear(); }},
      {"another key", "unauthenticated", [&] { agent("key_sha256", std::string(64, 'a')); }},
      {"revoked", "unauthenticated", [&] { agent("status", "revoked"); }},
      {"revoked, not sealed", "unauthenticated", [&] { ASSERT_TRUE(session_->narrow("revoke", "agt_a")); }},
      {"expired", "unauthenticated", [&] { clock_.now_ += 1000; }},
      {"another user", "unauthenticated", [&] { agent("uid", 7); }},
      {"suspended", "agent_suspended", [&] { agent("status", "suspended"); }},
      {"suspended, not sealed", "agent_suspended", [&] { ASSERT_TRUE(session_->narrow("suspend", "agt_a")); }},
      {"locked", "locked", [&] { app_->lock(); }},
      {"frozen", "frozen",
       [&] {
         ASSERT_TRUE(session_->set_frozen(true));
         app_->lock_all();
       }},
  };
  for (const Stop& stop : stops) {
    SCOPED_TRACE(stop.what);
    app_.reset();
    guard_.reset();
    injections_.reset();
    loop_.reset();
    spawner_.reset();
    session_.reset();
    files_ = test::MemoryFs();
    clock_ = test::TestClock();
    peer_.caller = {};
    SetUp();
    stop.make();
    for (const auto& [method, word] : walk(false)) EXPECT_EQ(word, method == "vault.status" ? "ok" : stop.word) << method;
    expect_nothing_used();
    EXPECT_TRUE(std::none_of(seen_.begin(), seen_.end(), [](Step step) { return step > Step::authenticate; }));
  }
}

}  // namespace
}  // namespace popvault::daemon
