#include "cli/approvals_view.hpp"

#include <gtest/gtest.h>

#include "base/display.hpp"

namespace popvault::cli {
namespace {

constexpr Seconds kNow = 1'795'000'000;

Json purchase(int number, std::string text = "A book", std::string merchant = "https://shop.example") {
  return Json::Object{{"purchase", "pur_" + std::to_string(number)},
                      {"amount", std::to_string(number) + ".00 USD"},
                      {"merchant", std::move(merchant)},
                      {"agent", "agt_1"},
                      {"agent_name", "helper"},
                      {"executable", "/usr/bin/python3"},
                      {"strength", "dom"},
                      {"text", std::move(text)},
                      {"page_url", ""},
                      {"card", Json::Object{{"brand", "visa"}, {"masked", "****-****-****-4242"}, {"label", "Demo"}}},
                      {"requested_at", rfc3339(kNow - 600 + number)},
                      {"expires_at", rfc3339(kNow + 60 + number)}};
}

Json::Array many(int count) {
  Json::Array out;
  for (int i = count; i > 0; --i) out.push_back(purchase(i));
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

TEST(Approvals, OldestFirstWithAllThatCounts) {
  ApprovalList list;
  list.set({purchase(2, "Second"), purchase(1, "First")}, false);
  list.move(1);
  ApprovalsView view;
  const auto page = approvals_page(list, view, {24, 80}, kNow);
  ASSERT_EQ(page.size(), 24U);
  EXPECT_EQ(page[0], "popvault approvals: 2 wait");
  EXPECT_EQ(page[1].substr(0, 36), "> 1.00 USD  https://shop.example    ");
  EXPECT_TRUE(page[1].ends_with("  1:01 left"));
  EXPECT_EQ(page[2], "    visa ****-****-****-4242 \"Demo\"  dom  helper: First");
  EXPECT_EQ(page[3].substr(0, 12), "  2.00 USD  ");
  EXPECT_NE(page[23].find("a approve"), std::string::npos);
}

TEST(Approvals, EveryLineFits) {
  ApprovalList list;
  const std::string hostile = "\x1b[2J\xe2\x80\xae\xe6\x97\xa5\xcc\x81\xe2\x80\x8b\xd7\xa9\xff\\ z";
  list.set({purchase(1, hostile + hostile + hostile, "https://" + hostile)}, false);
  list.move(1);
  for (const bool details : {false, true})
    for (unsigned columns = 1; columns < 130; ++columns)
      for (const unsigned rows : {1U, 7U, 8U, 9U, 30U}) {
        ApprovalsView view;
        view.details = details;
        view.top = 1000;
        view.message = std::string(200, 'x');
        const auto page = approvals_page(list, view, {rows, columns}, kNow);
        ASSERT_EQ(page.size(), rows);
        for (const std::string& line : page) {
          EXPECT_LE(columns_of(line), columns);
          for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;  // nothing of the above is narrow
        }
      }
}

TEST(Approvals, TheEndOfALongOriginIsSeen) {
  ApprovalList list;
  list.set({purchase(1, "x", "https://shop.example." + std::string(100, 'a') + ".evil.example")}, false);
  ApprovalsView view;
  const auto page = approvals_page(list, view, {24, 80}, kNow);
  EXPECT_NE(page[1].find("a.evil.example  1:01 left"), std::string::npos) << page[1];
  EXPECT_NE(page[1].find("  ...a"), std::string::npos) << page[1];
}

TEST(Approvals, DeepQueuesScroll) {
  ApprovalList list;
  list.set(many(50), false);
  list.move(1);
  ApprovalsView view;
  EXPECT_NE(joined(approvals_page(list, view, {24, 80}, kNow)).find("> 1.00 USD"), std::string::npos);
  for (int i = 0; i < 60; ++i) list.move(1);
  const std::string last = joined(approvals_page(list, view, {24, 80}, kNow));
  EXPECT_NE(last.find("> 50.00 USD"), std::string::npos);
  EXPECT_NE(last.find("  41.00 USD"), std::string::npos);
  EXPECT_EQ(last.find("  40.00 USD"), std::string::npos);
  list.move(-45);
  EXPECT_NE(joined(approvals_page(list, view, {24, 80}, kNow)).find("> 5.00 USD"), std::string::npos);
}

TEST(Approvals, WhatIsChosenStaysOrIsNothing) {
  ApprovalList list;
  list.set(many(3), false);
  list.move(1);
  list.move(1);
  EXPECT_EQ((*list.chosen())["purchase"].text_or(""), "pur_2");
  EXPECT_FALSE(list.set({purchase(2), purchase(3)}, false));
  EXPECT_EQ(list.place(), 0U);
  EXPECT_TRUE(list.set({purchase(3)}, false));
  EXPECT_EQ(list.chosen(), nullptr) << "the next one was not looked at yet";
  list.set(many(3), false);
  list.move(1);
  EXPECT_TRUE(list.set({purchase(2), purchase(3)}, true));
  EXPECT_EQ((*list.chosen())["purchase"].text_or(""), "pur_2");
  EXPECT_TRUE(list.set({}, true));
  EXPECT_EQ(list.chosen(), nullptr);
}

TEST(Approvals, Details) {
  ApprovalList list;
  list.set({purchase(1, std::string(150, '@'))}, false);
  list.move(1);
  ApprovalsView view;
  view.details = true;
  const std::string page = joined(approvals_page(list, view, {24, 60}, kNow));
  for (const char* part : {"amount:      1.00 USD\n", "merchant:    https://shop.example\n", "strength:    dom\n", "time:        1:01 left\n",
                           "agent:       helper (agt_1)\n", "executable:  /usr/bin/python3 (a label, not checked)\n", "it says:     @@@@@@"})
    EXPECT_NE(page.find(part), std::string::npos) << part << page;
  EXPECT_EQ(std::count(page.begin(), page.end(), '@'), 150) << "all of the text is there";
}

TEST(Approvals, TimeLeft) {
  Json one = purchase(1);
  EXPECT_EQ(time_left(one, kNow), "1:01 left");
  EXPECT_EQ(time_left(one, kNow + 52), "0:09 left");
  EXPECT_EQ(time_left(one, kNow + 61), "over");
  one.set("expires_at", "soon");
  EXPECT_EQ(time_left(one, kNow), "-");
  ApprovalList list;
  list.set({purchase(1)}, false);
  EXPECT_FALSE(list.any_over(kNow));
  EXPECT_TRUE(list.any_over(kNow + 61));
}

TEST(Fit, OneColumnACharacter) {
  EXPECT_EQ(fit("abc", 3), "abc");
  EXPECT_EQ(fit("abcd", 3), "...");
  EXPECT_EQ(fit("abcd", 2), "..");
  EXPECT_EQ(fit("abcdef", 5), "ab...");
  EXPECT_EQ(fit("abcdef", 5, Keep::end), "...ef");
  EXPECT_EQ(fit("B\xc3\xbc\x63her", 6), "B\xc3\xbc\x63her");
  EXPECT_EQ(fit("\xe6\x97\xa5", 8), "\\u{65E5}");          // wide
  EXPECT_EQ(fit("e\xcc\x81", 9), "e\\u{0301}");            // combining
  EXPECT_EQ(fit("\xd7\xa9", 8), "\\u{05E9}");              // from right to left
  EXPECT_EQ(fit("\xf0\x9f\x98\x80", 9), "\\u{1F600}");
  EXPECT_EQ(fit("a\xe6\x97\xa5", 8), "a...");              // an escape is not cut
  EXPECT_EQ(fit("\\\x1b", 10), "\\\\\\u{001B}");
  EXPECT_EQ(fold(std::string(40, 'a'), 16).size(), 3U);
  EXPECT_EQ(fold("", 16).size(), 1U);
}

}  // namespace
}  // namespace popvault::cli
