#include "injector/held_request.hpp"

#include <gtest/gtest.h>

namespace popvault::injector {
namespace {

Held held_of(std::string_view params) {
  auto json = Json::parse(params);
  EXPECT_TRUE(json) << params;
  return read_held({"Fetch.requestPaused", "S", json ? *json : Json()});
}

TEST(Held, TakesTheBodyFromItsEntriesOnly) {
  const Held held = held_of(R"({"requestId":"i","networkId":"n","frameId":"f","resourceType":"XHR","request":{
    "method":"POST","url":"https://psp.example/t","headers":{"Content-Type":"application/json","Origin":"https://shop.example"},
    "hasPostData":true,"postData":"another","postDataEntries":[{"bytes":"eyJh"},{"bytes":"Ijox"},{"bytes":"fQ=="}]}})");
  EXPECT_EQ(held.body, "{\"a\":1}");
  EXPECT_TRUE(held.body_whole);
  EXPECT_FALSE(held.navigation);
  EXPECT_FALSE(held.answered());
  EXPECT_EQ(held.header("origin"), "https://shop.example");
  EXPECT_EQ(held.header("cookie"), "");
  const wire::Request request = held.request(wire::Relation::child, "https://psp.example/f");
  EXPECT_EQ(request.body, held.body);
  EXPECT_EQ(request.headers.size(), 2U);
}

TEST(Held, IsNotWholeWhenAPartIsNotShown) {
  for (const std::string_view body :
       {R"("hasPostData":true)", R"("postData":"{}")", R"("hasPostData":true,"postData":"{}")", R"("hasPostData":true,"postDataEntries":[])",
        R"("hasPostData":true,"postDataEntries":[{"bytes":"e30="},{}])", R"("hasPostData":true,"postDataEntries":[{"bytes":"e30"}])",
        R"("hasPostData":true,"postDataEntries":[{"bytes":7}])", R"("postDataEntries":[{}])"}) {
    const std::string params = R"({"request":{"method":"POST","url":"https://psp.example/t",)" + std::string(body) + "}}";
    EXPECT_FALSE(held_of(params).body_whole) << body;
  }
  EXPECT_TRUE(held_of(R"({"request":{"method":"GET","url":"https://psp.example/t"}})").body_whole) << "none at all";
}

TEST(Held, KnowsAnAnswer) {
  const Held answer = held_of(R"({"request":{},"responseStatusCode":307,"responseHeaders":[{"name":"Location","value":"/x"}]})");
  EXPECT_TRUE(answer.answered());
  EXPECT_EQ(answer.status, 307);
  EXPECT_EQ(answer.answer_headers.size(), 1U);
  const Held broken = held_of(R"({"request":{},"responseErrorReason":"Failed"})");
  EXPECT_TRUE(broken.answered());
  EXPECT_FALSE(broken.status);
}

}  // namespace
}  // namespace popvault::injector
