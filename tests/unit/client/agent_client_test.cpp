#include "popvault/agent_client.hpp"

#include <gtest/gtest.h>

#include "support/fake_server.hpp"

namespace popvault::client {
namespace {

using test::FakeServer;
using test::Heard;

const Json kCard = Json::Object{
    {"alias", "tok_card_a"}, {"brand", "visa"}, {"expired", false}, {"id", "rec_1"},
    {"kind", "card"},        {"label", "Demo"}, {"last4", "4242"},  {"masked", "****-****-****-4242"}};

// Answers hello as the daemon of /tmp/pv-h, then as `script` says. The fake's only socket is used as
// agent.sock.
class Agent : public ::testing::Test {
 protected:
  void serve(FakeServer::Script script, const std::string& home = "/tmp/pv-h") {
    server_.emplace([script, home](const Heard& heard) -> std::optional<std::string> {
      if (heard.request["method"].text_or("") != "session.hello") return script(heard);
      EXPECT_EQ(heard.request["params"].dump(), R"({"agent_key":"pak_x","client":"test"})");
      return FakeServer::result(
          heard, Json::Object{{"agent", "agt_1"}, {"home", home}, {"name", "shopper"}, {"version", "1"}});
    });
    ASSERT_EQ(symlink("owner.sock", server_->agent_path().c_str()), 0);
  }
  Answer<AgentClient> connect() {
    return AgentClient::connect(
        {.agent_key = "pak_x", .client_name = "test", .home = "/tmp/pv-h", .runtime = server_->folder()});
  }
  std::optional<FakeServer> server_;
};

TEST_F(Agent, HelloAndList) {
  serve([](const Heard& heard) {
    EXPECT_EQ(heard.request["params"].dump(), R"({"cursor":"c","kind":"card","limit":7})");
    return FakeServer::result(heard, Json::Object{{"credentials", Json::Array{kCard}}, {"next", "d"}});
  });
  auto agent = connect();
  ASSERT_TRUE(agent);
  EXPECT_EQ(agent->session().agent, "agt_1");
  EXPECT_FALSE(agent->session().key_expires_at);
  const auto page = agent->list({.kind = "card", .cursor = "c", .limit = 7});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->credentials.size(), 1U);
  EXPECT_EQ(page->credentials[0].masked, "****-****-****-4242");
  EXPECT_EQ(page->next, "d");
}

TEST_F(Agent, AnotherHomeIsRefused) {
  serve([](const Heard&) { return std::nullopt; }, "/tmp/elsewhere");
  const auto agent = connect();
  ASSERT_FALSE(agent);
  EXPECT_EQ(agent.error().reason, "wrong_home");
}

TEST_F(Agent, RequestAndWait) {
  serve([](const Heard& heard) {
    const bool request = heard.request["method"].text_or("") == "purchase.request";
    if (request)
      EXPECT_EQ(
          heard.request["params"].dump(),
          R"({"amount_minor":2500,"currency":"USD","idempotency_key":"k","merchant_origin":"https://shop.example",)"
          R"("reason":"A book","record":"rec_1"})");
    else
      EXPECT_EQ(heard.request["params"].dump(), R"({"purchase":"pur_1","timeout_ms":600000})");
    return FakeServer::result(heard, Json::Object{{"card", kCard},
                                                  {"expires_at", "2026-11-22T05:31:00Z"},
                                                  {"purchase", "pur_1"},
                                                  {"reason", nullptr},
                                                  {"status", request ? "awaiting_approval" : "approved"}});
  });
  auto agent = connect();
  ASSERT_TRUE(agent);
  PurchaseRequest wish;
  wish.record = "rec_1";
  wish.amount_minor = 2500;
  wish.currency = "USD";
  wish.merchant_origin = "https://shop.example";
  wish.reason = "A book";
  wish.idempotency_key = "k";
  const auto asked = agent->request(wish);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->status, PurchaseStatus::awaiting_approval);
  EXPECT_EQ(asked->card->last4, "4242");
  const auto decided = agent->wait(asked->purchase, std::chrono::hours(1));
  ASSERT_TRUE(decided);
  EXPECT_EQ(decided->status, PurchaseStatus::approved);
}

TEST_F(Agent, FillTellsWhichFieldFailed) {
  serve([](const Heard& heard) {
    EXPECT_EQ(heard.request["params"].dump(),
              R"({"page":{"url":"https://shop.example/pay"},"purchase":"pur_1"})");
    const Json field = Json::Object{{"field", "cvc"}, {"ok", false}, {"origin", nullptr}, {"why", "covered"}};
    return FakeServer::error(heard, Json::Object{{"code", 1408},
                                                 {"data", Json::Object{{"reason", "fields_missing"},
                                                                       {"retryable", true},
                                                                       {"remediation", "try later"},
                                                                       {"fields", Json::Array{field}}}},
                                                 {"message", "m"}});
  });
  auto agent = connect();
  ASSERT_TRUE(agent);
  const auto filled = agent->fill("pur_1", Page::with_url("https://shop.example/pay"));
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().reason, "fields_missing");
  EXPECT_TRUE(filled.error().retryable);
  EXPECT_EQ(filled.error().remediation, "try later");
  ASSERT_EQ(filled.error().fields.size(), 1U);
  EXPECT_EQ(filled.error().fields[0].why, "covered");
  EXPECT_FALSE(filled.error().fields[0].origin);
}

TEST_F(Agent, AFillThatIsNotFilledIsNoSuccess) {
  serve([](const Heard& heard) { return FakeServer::result(heard, Json::Object{{"status", "filling"}}); });
  auto agent = connect();
  ASSERT_TRUE(agent);
  EXPECT_EQ(agent->fill("pur_1", Page::with_target_id("T")).error().reason, "internal");
}

TEST(PurchaseStatusWords, RoundTrip) {
  for (int i = 0; i <= static_cast<int>(PurchaseStatus::outcome_unknown); ++i) {
    const auto status = static_cast<PurchaseStatus>(i);
    EXPECT_EQ(purchase_status(to_string(status)), status);
  }
  EXPECT_EQ(purchase_status("of_tomorrow"), PurchaseStatus::other);
}

}  // namespace
}  // namespace popvault::client
