#include "base/display.hpp"

#include <gtest/gtest.h>

#include "cli/masked_text.hpp"

namespace popvault::cli {
namespace {

TEST(Escape, PlainTextStays) {
  EXPECT_EQ(escape_for_terminal("A book, 25.00 USD"), "A book, 25.00 USD");
  EXPECT_EQ(escape_for_terminal("B\xc3\xbc\x63her \xe6\x97\xa5"), "B\xc3\xbc\x63her \xe6\x97\xa5");
  EXPECT_EQ(escape_ascii("B\xc3\xbc"), "B\\u{00FC}");
}

TEST(Escape, WhatMovesHidesOrTurnsText) {
  const std::pair<const char*, const char*> rows[] = {
      {"a\x1b[2Jb", "a\\u{001B}[2Jb"},  // a terminal command
      {"a\nb\rc\td", "a\\u{000A}b\\u{000D}c\\u{0009}d"},
      {"\x7f", "\\u{007F}"},
      {"\xc2\x9b", "\\u{009B}"},           // CSI in one code point
      {"\xc2\xad", "\\u{00AD}"},           // soft hyphen
      {"\xe2\x80\xae", "\\u{202E}"},       // right-to-left override
      {"\xe2\x81\xa6", "\\u{2066}"},       // isolate
      {"\xd8\x9c", "\\u{061C}"},           // Arabic letter mark
      {"\xe2\x80\x8b", "\\u{200B}"},       // zero-width space
      {"\xe2\x80\x8d", "\\u{200D}"},       // zero-width joiner
      {"\xef\xbb\xbf", "\\u{FEFF}"},       // byte order mark
      {"\xe2\x80\xa8", "\\u{2028}"},       // line separator
      {"\xf3\xa0\x81\x81", "\\u{E0041}"},  // tag letter
      {"\xef\xb8\x8f", "\\u{FE0F}"},       // variation selector
      {"\xe3\x85\xa4", "\\u{3164}"},       // Hangul filler
      {"\xef\xbf\xbf", "\\u{FFFF}"},
      {"\xff\xc0\xaf", "\\x{FF}\\x{C0}\\x{AF}"},  // not UTF-8
      {"\xed\xa0\x80", "\\x{ED}\\x{A0}\\x{80}"},  // a surrogate
      {"\\u{202E}", "\\\\u{202E}"},               // an escape that somebody wrote
  };
  for (const auto& row : rows) EXPECT_EQ(escape_for_terminal(row.first), row.second);
}

TEST(PurchaseText, AgentsTextIsEscapedAndBelow) {
  const Json purchase = Json::Object{{"purchase", "pur_1"},
                                     {"status", "awaiting_approval"},
                                     {"amount", "25.00 USD"},
                                     {"merchant", "https://shop.example"},
                                     {"strength", "dom"},
                                     {"agent_name", "shopper"},
                                     {"text", "x\n  amount:     0.01 USD\xe2\x80\xae"}};
  const std::string text = purchase_lines(purchase);
  EXPECT_NE(text.find("  it says:    x\\u{000A}  amount:     0.01 USD\\u{202E}\n"), std::string::npos)
      << text;
  EXPECT_LT(text.find("25.00 USD"), text.find("it says"));
  EXPECT_LT(text.find("https://shop.example"), text.find("agent:"));
  EXPECT_LT(text.find("strength"), text.find("agent:"));
}

}  // namespace
}  // namespace popvault::cli
