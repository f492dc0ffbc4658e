// Amounts as pages write them, and how far they may be from what was approved.
#include "injector/price.hpp"

#include <gtest/gtest.h>

namespace popvault::injector {
namespace {

constexpr std::int64_t kNone = -1;

struct Row {
  const char* text;
  unsigned exponent;
  std::int64_t minor;
};

TEST(Price, AmountsAsPagesWriteThem) {
  const Row rows[] = {
      {"1,234.56", 2, 123456}, {"1.234,56", 2, 123456}, {"1 234,56", 2, 123456}, {"1\xc2\xa0" "234,56 \xe2\x82\xac", 2, 123456},
      {"1\xe2\x80\xaf" "234,56", 2, 123456}, {"1'234.56", 2, 123456}, {"CHF 1\xe2\x80\x99" "234.56", 2, 123456},
      {"$12.99", 2, 1299}, {"12,99 \xe2\x82\xac", 2, 1299}, {"USD 12", 2, 1200}, {"Total: \xc2\xa3" "0.50", 2, 50},
      {"Fr. 12.-", 2, 1200}, {"12,\xe2\x80\x93 \xe2\x82\xac", 2, 1200}, {"Rs. 1,23,456.78", 2, 12345678},
      {"\xc2\xa5" "1,234", 0, 1234}, {"1.234", 0, 1234}, {"JPY 980", 0, 980}, {"KD 1.234", 3, 1234}, {"12,345.678", 3, 12345678},
      {"1,234", 2, 123400}, {"1.234.567,89", 2, 123456789}, {"1,234,567", 2, 123456700}, {"49.99 EUR incl. VAT", 2, 4999},
      // None, two, or readable in two ways.
      {"", 2, kNone}, {"free", 2, kNone}, {"was 20.00 now 10.00", 2, kNone}, {"10 - 20", 2, kNone}, {"-12.00", 2, kNone},
      {"\xe2\x88\x92" "12.00", 2, kNone}, {"12.5", 2, kNone}, {"12.3456", 2, kNone}, {"1,23.45", 2, kNone}, {"1.234.56", 2, kNone},
      {"1,234 567.00", 2, kNone}, {"12.99.99", 2, kNone}, {".99", 2, kNone}, {"20% of 5", 2, kNone}, {"20%", 2, kNone},
      {"1234567890123456", 2, kNone}, {"12 34", 2, kNone}, {"12.50", 0, kNone}, {"3 x 9.99", 2, kNone}, {"1234.567", 2, kNone},
  };
  for (const Row& row : rows) EXPECT_EQ(parse_amount(row.text, row.exponent).value_or(kNone), row.minor) << row.text;
  EXPECT_FALSE(parse_amount(std::string(300, ' ') + "1", 2));
}

TEST(Price, Drift) {
  const Price exact{"#p", 10000, 2, 0}, loose{"#p", 10000, 2, 100}, large{"#p", 999'999'999'999'999, 2, 10'000};
  EXPECT_TRUE(within_drift(10000, exact));
  EXPECT_FALSE(within_drift(10001, exact));
  EXPECT_FALSE(within_drift(9999, exact));
  EXPECT_TRUE(within_drift(10100, loose));
  EXPECT_TRUE(within_drift(9900, loose));
  EXPECT_FALSE(within_drift(10101, loose));
  EXPECT_FALSE(within_drift(9899, loose));
  EXPECT_TRUE(within_drift(0, large));
  EXPECT_FALSE(within_drift(-1, large));
  EXPECT_TRUE(within_drift(0, Price{"#p", 0, 2, 100}));
  EXPECT_FALSE(within_drift(1, Price{"#p", 0, 2, 100}));
  EXPECT_FALSE(within_drift(1, Price{"#p", std::int64_t{1} << 62, 2, 65535}));
}

}  // namespace
}  // namespace popvault::injector
