#include "base/money.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace popvault {
namespace {

TEST(Money, ParsesAndFormats) {
  const auto usd = *Currency::parse("USD");
  const auto jpy = *Currency::parse("JPY");
  const auto kwd = *Currency::parse("KWD");
  const auto clf = *Currency::parse("CLF");
  EXPECT_EQ(*parse_amount("50", usd), 5000);
  EXPECT_EQ(*parse_amount("50.5", usd), 5050);
  EXPECT_EQ(*parse_amount("0.01", usd), 1);
  EXPECT_EQ(*parse_amount("50", jpy), 50);
  EXPECT_EQ(*parse_amount("1.234", kwd), 1234);
  EXPECT_EQ(*parse_amount("1", kwd), 1000);
  EXPECT_EQ(*parse_amount("1.2345", clf), 12345);
  EXPECT_EQ(*parse_amount("1", clf), 10000);
  for (const char* wrong : {"", ".", "5.", ".5", "-1", "+1", "1,000", "1e3", "0x1", "1.234", " 1", "9999999999999", "1.2.3"})
    EXPECT_FALSE(parse_amount(wrong, usd)) << wrong;
  EXPECT_FALSE(parse_amount("1.5", jpy));
  EXPECT_FALSE(parse_amount("1.2345", kwd));
  EXPECT_FALSE(parse_amount("1.23456", clf));
  EXPECT_EQ(format_amount(5, usd), "0.05 USD");
  EXPECT_EQ(format_amount(-1234, usd), "-12.34 USD");
  EXPECT_EQ(format_amount(7, jpy), "7 JPY");
  EXPECT_EQ(format_amount(7, kwd), "0.007 KWD");
  EXPECT_EQ(format_amount(7, clf), "0.0007 CLF");
  EXPECT_EQ(format_amount(10000, clf), "1.0000 CLF");
  EXPECT_EQ(format_amount(0, usd), "0.00 USD");
  EXPECT_EQ(format_amount(0, jpy), "0 JPY");
  for (const char* wrong : {"usd", "US", "USDT", "XXX", "", "U D", "SD "}) EXPECT_FALSE(Currency::parse(wrong)) << wrong;
}

// Source: ISO 4217 list one, column "Mnr unts".
TEST(Money, Exponents) {
  const struct {
    const char* code;
    int digits;
  } rows[] = {{"USD", 2}, {"EUR", 2}, {"GBP", 2}, {"CHF", 2}, {"HUF", 2}, {"MGA", 2}, {"JPY", 0}, {"KRW", 0}, {"ISK", 0},
              {"VND", 0}, {"CLP", 0}, {"UYI", 0}, {"KWD", 3}, {"BHD", 3}, {"TND", 3}, {"OMR", 3}, {"IQD", 3}, {"JOD", 3},
              {"LYD", 3}, {"CLF", 4}, {"UYW", 4}};
  for (const auto& row : rows) EXPECT_EQ(Currency::parse(row.code)->exponent(), row.digits) << row.code;
}

// What is formatted is read back as the same number, for every exponent and at its edges.
TEST(Money, FormatAndParseAreInverse) {
  for (const char* code : {"JPY", "USD", "KWD", "CLF"}) {
    const Currency currency = *Currency::parse(code);
    for (const std::int64_t minor : {std::int64_t{0}, std::int64_t{1}, std::int64_t{9}, std::int64_t{10}, std::int64_t{99},
                                     std::int64_t{100}, std::int64_t{9999}, std::int64_t{10000}, kMaxMinor - 1, kMaxMinor}) {
      const std::string text = format_amount(minor, currency);
      ASSERT_EQ(text.substr(text.size() - 4), std::string(" ") + code);
      const auto back = parse_amount(text.substr(0, text.size() - 4), currency);
      ASSERT_TRUE(back) << text;
      EXPECT_EQ(*back, minor) << text;
    }
  }
  EXPECT_EQ(format_amount(std::numeric_limits<std::int64_t>::min(), *Currency::parse("USD")), "-92233720368547758.08 USD");
  EXPECT_FALSE(parse_amount("10000000000.01", *Currency::parse("USD")));
}

}  // namespace
}  // namespace popvault
