#include "watcher/request_view.hpp"

#include <gtest/gtest.h>

namespace popvault::watcher {
namespace {

Json purchase() {
  return Json::Object{{"purchase", "pur_1"},
                      {"status", "awaiting_approval"},
                      {"agent", "agt_1"},
                      {"agent_name", "helper"},
                      {"amount", "25.00 USD"},
                      {"amount_minor", 2500},
                      {"merchant", "https://shop.example"},
                      {"text", "A book"},
                      {"card", Json::Object{{"kind", "card"}, {"masked", "****-****-****-4242"}, {"label", "Demo"}, {"alias", "tok_card_x"}}}};
}

TEST(Notice, IsShortAndNamesNoCard) {
  const Notice notice = notice_of(purchase());
  EXPECT_EQ(notice.summary, "Approve 25.00 USD?");
  EXPECT_EQ(notice.body, "https://shop.example\nhelper says: A book\nTo answer: popvault approvals --watch");
}

TEST(Notice, HostileText) {
  Json one = purchase();
  one.set("text", "\x1b[2J\xe2\x80\xae<b>&</b>\n\xe2\x80\x8b");
  one.set("agent_name", "<i>\nhelper");
  one.set("merchant", "https://sh\xc3\xb6p.example");
  EXPECT_EQ(notice_of(one).body,
            "https://sh\\u{00F6}p.example\n&lt;i&gt;\\u{000A}helper says: "
            "\\u{001B}[2J\\u{202E}&lt;b&gt;&amp;&lt;/b&gt;\\u{000A}\\u{200B}\nTo answer: popvault approvals --watch");
}

TEST(Notice, IsCutBetweenCharacters) {
  Json one = purchase();
  std::string text;
  for (int i = 0; i < 60; ++i) text += "\xe2\x80\xae";
  one.set("text", text);
  const std::string body = notice_of(one).body;
  EXPECT_NE(body.find("\\u{202E}...\n"), body.npos);
  EXPECT_LT(body.size(), 300U);
}

TEST(Notice, OfAnythingElse) {
  EXPECT_EQ(notice_of(Json()).summary, "Approve a purchase?");
  EXPECT_EQ(notice_of(Json(Json::Object{{"amount", 5}, {"text", Json::Array{}}})).summary, "Approve a purchase?");
}

TEST(Request, HasOnlyWhatIsNamed) {
  Json one = purchase();
  one.set("number", "4242424242424242");
  one.set("page_url", "https://shop.example/\xe2\x80\xae");
  one.set("text", Json::Object{{"number", "4242"}});
  EXPECT_EQ(request_of(one).dump(),
            R"({"agent":"agt_1","agent_name":"helper","amount":"25.00 USD","amount_minor":2500,"card":{"brand":null,"expired":false,)"
            R"("kind":"card","label":"Demo","masked":"****-****-****-4242"},"currency":null,"executable":null,"expires_at":null,)"
            R"("merchant":"https://shop.example","page_url":"https://shop.example/\\u{202E}","purchase":"pur_1","requested_at":null,)"
            R"("status":"awaiting_approval","strength":null,"text":null,"what":"approval"})");
}

}  // namespace
}  // namespace popvault::watcher
