#include "policy/decide.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace popvault::policy {
namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNow = 1'800'000'000;

// What a row expects: verdict, reason and rule in one word.
constexpr Decision kAllow{Verdict::allow, Errc::denied, Rule::within};
constexpr Decision kAskAmount{Verdict::ask, Errc::denied, Rule::ask_above};
constexpr Decision kAskMerchant{Verdict::ask, Errc::denied, Rule::unlisted_merchant};
constexpr Decision kNoPolicy{Verdict::deny, Errc::denied, Rule::no_policy};
constexpr Decision kKilled{Verdict::deny, Errc::denied, Rule::killed};
constexpr Decision kExpired{Verdict::deny, Errc::denied, Rule::expired};
constexpr Decision kRequest{Verdict::deny, Errc::denied, Rule::request};
constexpr Decision kRecord{Verdict::deny, Errc::denied, Rule::record};
constexpr Decision kMerchant{Verdict::deny, Errc::denied, Rule::unlisted_merchant};
constexpr Decision kCurrency{Verdict::deny, Errc::denied, Rule::currency};
constexpr Decision kPerUse{Verdict::deny, Errc::limit_exceeded, Rule::per_use};
constexpr Decision kPerDay{Verdict::deny, Errc::limit_exceeded, Rule::per_day};
constexpr Decision kPerMonth{Verdict::deny, Errc::limit_exceeded, Rule::per_month};
constexpr Decision kPerHour{Verdict::deny, Errc::limit_exceeded, Rule::uses_per_hour};
constexpr Decision kStrength{Verdict::deny, Errc::strength_unavailable, Rule::strength};

// 50.00 a use, 200.00 a day, 1000.00 a month, 10 uses an hour, asked above 5.00.
Policy shopper() {
  Policy p;
  p.merchants = {{"https://shop.example", {"https://psp.example"}}, {"https://b.example", {}}};
  p.records = {"crd_a"};
  p.currency = "USD";
  p.per_use = 5000;
  p.per_day = 20000;
  p.per_month = 100000;
  p.uses_per_hour = 10;
  p.ask_above = 500;
  p.minimum = Strength::dom;
  p.expires_at = 2'000'000'000;
  return p;
}

UseRequest use(std::int64_t amount) { return {"crd_a", "https://shop.example", "USD", amount, Strength::dom}; }

template <typename Row>
void expect(const Row& row, const Decision& got, std::size_t index) {
  EXPECT_EQ(got.verdict, row.want.verdict) << "row " << index;
  EXPECT_EQ(got.reason, row.want.reason) << "row " << index;
  EXPECT_EQ(to_string(got.rule), to_string(row.want.rule)) << "row " << index;
}

template <typename Row, std::size_t N, typename Decide>
void expect_all(const Row (&rows)[N], Decide decide_row) {
  for (std::size_t i = 0; i < N; ++i) expect(rows[i], decide_row(rows[i]), i);
}

// --- one use -------------------------------------------------------------------------------------------------

struct AmountRow {
  std::int64_t amount;
  Decision want;
};

constexpr AmountRow kAmounts[] = {
    {kLeast, kRequest},     {kLeast + 1, kRequest}, {-5000, kRequest},    {-2, kRequest},
    {-1, kRequest},         {0, kRequest},          {1, kAllow},          {2, kAllow},
    {250, kAllow},          {499, kAllow},          {500, kAllow},        {501, kAskAmount},
    {502, kAskAmount},      {2500, kAskAmount},     {4999, kAskAmount},   {5000, kAskAmount},
    {5001, kPerUse},        {5002, kPerUse},        {20000, kPerUse},     {20001, kPerUse},
    {100000, kPerUse},      {1'000'000'000'000, kPerUse}, {kMost - 1, kPerUse}, {kMost, kPerUse},
};

TEST(Decide, Amounts) {
  const Policy policy = shopper();
  expect_all(kAmounts, [&](const AmountRow& row) { return decide(use(row.amount), &policy, {}, kNow); });
}

struct UseRow {
  std::int64_t per_use, amount;
  Decision want;
};

// Nothing else in the way: the other limits are the greatest there are and nothing is asked.
constexpr UseRow kUses[] = {
    {0, 1, kPerUse},         {0, kMost, kPerUse},      {1, 1, kAllow},        {1, 2, kPerUse},
    {99, 99, kAllow},        {99, 100, kPerUse},       {100, 99, kAllow},     {100, 100, kAllow},
    {100, 101, kPerUse},     {kMost - 1, kMost, kPerUse}, {kMost - 1, kMost - 1, kAllow}, {kMost, kMost, kAllow},
    {kMost, 1, kAllow},      {-1, 1, kPerUse},         {kLeast, 1, kPerUse},  {kLeast, kMost, kPerUse},
};

Policy wide_open() {
  Policy p = shopper();
  p.per_use = p.per_day = p.per_month = p.uses_per_hour = p.ask_above = kMost;
  return p;
}

TEST(Decide, PerUse) {
  expect_all(kUses, [](const UseRow& row) {
    Policy policy = wide_open();
    policy.per_use = row.per_use;
    return decide(use(row.amount), &policy, {}, kNow);
  });
}

// --- a day and a month -----------------------------------------------------------------------------------------

struct WindowRow {
  std::int64_t limit, spent, amount;
  Decision want;
};

constexpr WindowRow kDays[] = {
    {20000, 0, 1, kAllow},
    {20000, 0, 19999, kAllow},
    {20000, 0, 20000, kAllow},
    {20000, 0, 20001, kPerDay},
    {20000, 1, 19999, kAllow},
    {20000, 1, 20000, kPerDay},
    {20000, 10000, 10000, kAllow},
    {20000, 10000, 10001, kPerDay},
    {20000, 19998, 1, kAllow},
    {20000, 19999, 1, kAllow},
    {20000, 19999, 2, kPerDay},
    {20000, 20000, 1, kPerDay},
    {20000, 20001, 1, kPerDay},
    {20000, 1'000'000, 1, kPerDay},
    {20000, kMost, 1, kPerDay},
    {20000, kMost, kMost, kPerDay},
    {20000, 0, kMost, kPerDay},
    {20000, -1, 1, kRequest},  // a sum that overflowed
    {20000, kLeast, 1, kRequest},
    {20000, kLeast, kMost, kRequest},
    {0, 0, 1, kPerDay},
    {0, 0, kMost, kPerDay},
    {1, 0, 1, kAllow},
    {1, 1, 1, kPerDay},
    {kMost, 0, kMost, kAllow},
    {kMost, 1, kMost, kPerDay},
    {kMost, 1, kMost - 1, kAllow},
    {kMost, kMost, 1, kPerDay},
    {kMost, kMost - 1, 1, kAllow},
    {-1, 0, 1, kPerDay},
    {kLeast, 0, 1, kPerDay},
    {kLeast, kMost, kMost, kPerDay},
};

TEST(Decide, PerDay) {
  expect_all(kDays, [](const WindowRow& row) {
    Policy policy = wide_open();
    policy.per_day = row.limit;
    return decide(use(row.amount), &policy, {row.spent, 0, 0}, kNow);
  });
}

constexpr WindowRow kMonths[] = {
    {100000, 0, 1, kAllow},
    {100000, 0, 100000, kAllow},
    {100000, 0, 100001, kPerMonth},
    {100000, 1, 99999, kAllow},
    {100000, 1, 100000, kPerMonth},
    {100000, 50000, 50000, kAllow},
    {100000, 50000, 50001, kPerMonth},
    {100000, 99998, 1, kAllow},
    {100000, 99999, 1, kAllow},
    {100000, 99999, 2, kPerMonth},
    {100000, 100000, 1, kPerMonth},
    {100000, 100001, 1, kPerMonth},
    {100000, kMost, 1, kPerMonth},
    {100000, kMost, kMost, kPerMonth},
    {100000, 0, kMost, kPerMonth},
    {100000, -1, 1, kRequest},
    {100000, kLeast, 1, kRequest},
    {0, 0, 1, kPerMonth},
    {1, 0, 1, kAllow},
    {1, 1, 1, kPerMonth},
    {kMost, 0, kMost, kAllow},
    {kMost, 1, kMost, kPerMonth},
    {kMost, 1, kMost - 1, kAllow},
    {kMost, kMost, 1, kPerMonth},
    {-1, 0, 1, kPerMonth},
    {kLeast, 0, 1, kPerMonth},
    {kLeast, kMost, kMost, kPerMonth},
};

TEST(Decide, PerMonth) {
  expect_all(kMonths, [](const WindowRow& row) {
    Policy policy = wide_open();
    policy.per_month = row.limit;
    return decide(use(row.amount), &policy, {0, row.spent, 0}, kNow);
  });
}

struct SpentRow {
  std::int64_t day, month, amount;
  Decision want;
};

// The shopper's own numbers: 200.00 a day and 1000.00 a month at once.
constexpr SpentRow kSpent[] = {
    {0, 0, 5000, kAskAmount},          {15000, 15000, 5000, kAskAmount},   {15001, 15001, 5000, kPerDay},
    {15001, 15001, 4999, kAskAmount},  {19500, 19500, 500, kAllow},        {19501, 19501, 500, kPerDay},
    {19501, 19501, 499, kAllow},       {20000, 20000, 1, kPerDay},         {0, 95000, 5000, kAskAmount},
    {0, 95001, 5000, kPerMonth},       {0, 99500, 500, kAllow},            {0, 99501, 500, kPerMonth},
    {0, 99999, 1, kAllow},             {0, 100000, 1, kPerMonth},          {19999, 99999, 1, kAllow},
    {20000, 100000, 1, kPerDay},       {19999, 100000, 1, kPerMonth},      {20000, 99999, 1, kPerDay},
};

TEST(Decide, DayAndMonth) {
  const Policy policy = shopper();
  expect_all(kSpent, [&](const SpentRow& row) { return decide(use(row.amount), &policy, {row.day, row.month, 0}, kNow); });
}

// --- uses in an hour -------------------------------------------------------------------------------------------

struct HourRow {
  std::int64_t limit, seen;
  Decision want;
};

constexpr HourRow kHours[] = {
    {10, 0, kAllow},        {10, 1, kAllow},         {10, 8, kAllow},      {10, 9, kAllow},
    {10, 10, kPerHour},     {10, 11, kPerHour},      {10, 1000, kPerHour}, {10, kMost, kPerHour},
    {10, -1, kRequest},     {10, kLeast, kRequest},  {0, 0, kPerHour},     {0, 1, kPerHour},
    {1, 0, kAllow},         {1, 1, kPerHour},        {kMost, 0, kAllow},   {kMost, kMost - 1, kAllow},
    {kMost, kMost, kPerHour}, {-1, 0, kPerHour},     {kLeast, 0, kPerHour}, {kLeast, kMost, kPerHour},
};

TEST(Decide, UsesPerHour) {
  expect_all(kHours, [](const HourRow& row) {
    Policy policy = shopper();
    policy.uses_per_hour = row.limit;
    return decide(use(1), &policy, {0, 0, row.seen}, kNow);
  });
}

// --- asking ----------------------------------------------------------------------------------------------------

struct AskRow {
  std::int64_t ask_above, amount;
  Decision want;
};

constexpr AskRow kAsks[] = {
    {0, 1, kAskAmount},       {0, 5000, kAskAmount},    {0, 5001, kPerUse},        {1, 1, kAllow},
    {1, 2, kAskAmount},       {499, 499, kAllow},       {499, 500, kAskAmount},    {500, 499, kAllow},
    {500, 500, kAllow},       {500, 501, kAskAmount},   {4999, 5000, kAskAmount},  {5000, 5000, kAllow},
    {5000, 5001, kPerUse},    {5001, 5000, kAllow},     {5001, 5001, kPerUse},     {kMost, 5000, kAllow},
    {kMost, 5001, kPerUse},   {-1, 1, kAskAmount},      {kLeast, 1, kAskAmount},   {kLeast, 5001, kPerUse},
};

TEST(Decide, AskAbove) {
  expect_all(kAsks, [](const AskRow& row) {
    Policy policy = shopper();
    policy.ask_above = row.ask_above;
    return decide(use(row.amount), &policy, {}, kNow);
  });
}

// --- strength --------------------------------------------------------------------------------------------------

struct StrengthRow {
  Strength minimum, available;
  Decision want;
};

constexpr Strength kDom = Strength::dom, kAttached = Strength::wire_attached, kSealed = Strength::sealed, kWire = Strength::wire;
constexpr StrengthRow kStrengths[] = {
    {kDom, kDom, kAllow},           {kDom, kAttached, kAllow},        {kDom, kSealed, kAllow},        {kDom, kWire, kAllow},
    {kAttached, kDom, kStrength},   {kAttached, kAttached, kAllow},   {kAttached, kSealed, kAllow},   {kAttached, kWire, kAllow},
    {kSealed, kDom, kStrength},     {kSealed, kAttached, kStrength},  {kSealed, kSealed, kAllow},     {kSealed, kWire, kAllow},
    {kWire, kDom, kStrength},       {kWire, kAttached, kStrength},    {kWire, kSealed, kStrength},    {kWire, kWire, kAllow},
};

TEST(Decide, Strengths) {
  expect_all(kStrengths, [](const StrengthRow& row) {
    Policy policy = shopper();
    policy.minimum = row.minimum;
    UseRequest request = use(1);
    request.available = row.available;
    return decide(request, &policy, {}, kNow);
  });
}

// --- merchants -------------------------------------------------------------------------------------------------

struct MerchantRow {
  Unlisted unlisted;
  const char* origin;
  std::int64_t amount;
  Decision want;
};

constexpr Unlisted kDenies = Unlisted::deny, kAsksIt = Unlisted::ask;
constexpr MerchantRow kMerchants[] = {
    {kDenies, "https://shop.example", 1, kAllow},
    {kDenies, "https://b.example", 1, kAllow},
    {kDenies, "https://b.example", 501, kAskAmount},
    {kDenies, "https://evil.example", 1, kMerchant},
    {kDenies, "https://evil.example", 501, kMerchant},
    {kDenies, "https://evil.example", 5001, kMerchant},
    {kDenies, "https://psp.example", 1, kMerchant},  // a processor is no merchant
    {kDenies, "http://shop.example", 1, kMerchant},
    {kDenies, "https://shop.example:443", 1, kMerchant},
    {kDenies, "https://shop.example:444", 1, kMerchant},
    {kDenies, "https://shop.example/", 1, kMerchant},
    {kDenies, "https://shop.example.", 1, kMerchant},
    {kDenies, "https://shop.exampl", 1, kMerchant},
    {kDenies, "https://shop.example2", 1, kMerchant},
    {kDenies, "https://shop.example.evil.example", 1, kMerchant},
    {kDenies, "https://www.shop.example", 1, kMerchant},
    {kDenies, "https://evil.example/https://shop.example", 1, kMerchant},
    {kDenies, "https://SHOP.example", 1, kMerchant},
    {kDenies, " https://shop.example", 1, kMerchant},
    {kDenies, "https://xn--shp-tna.example", 1, kMerchant},
    {kDenies, "*", 1, kMerchant},
    {kDenies, "", 1, kMerchant},
    {kAsksIt, "https://shop.example", 1, kAllow},
    {kAsksIt, "https://b.example", 500, kAllow},
    {kAsksIt, "https://shop.example", 501, kAskAmount},
    {kAsksIt, "https://new.example", 1, kAskMerchant},
    {kAsksIt, "https://new.example", 500, kAskMerchant},
    {kAsksIt, "https://new.example", 501, kAskMerchant},
    {kAsksIt, "https://new.example", 5000, kAskMerchant},
    {kAsksIt, "https://new.example", 5001, kPerUse},  // no question opens a limit
    {kAsksIt, "https://psp.example", 1, kAskMerchant},
    {kAsksIt, "", 1, kAskMerchant},
    {kAsksIt, "https://new.example", 0, kRequest},
};

TEST(Decide, Merchants) {
  expect_all(kMerchants, [](const MerchantRow& row) {
    Policy policy = shopper();
    policy.unlisted = row.unlisted;
    UseRequest request = use(row.amount);
    request.merchant = row.origin;
    return decide(request, &policy, {}, kNow);
  });
}

// --- records ---------------------------------------------------------------------------------------------------

struct RecordRow {
  const char *first, *second;  // the policy's list; "" is no entry
  const char* record;
  Decision want;
};

constexpr RecordRow kRecords[] = {
    {"crd_a", "", "crd_a", kAllow},       {"crd_a", "", "crd_b", kRecord},      {"crd_a", "", "", kRecord},
    {"crd_a", "", "crd_", kRecord},       {"crd_a", "", "crd_aa", kRecord},     {"crd_a", "", "CRD_A", kRecord},
    {"crd_a", "", "*", kRecord},          {"crd_a", "", "lgn_a", kRecord},      {"crd_a", "crd_b", "crd_a", kAllow},
    {"crd_a", "crd_b", "crd_b", kAllow},  {"crd_a", "crd_b", "crd_c", kRecord}, {"crd_a", "crd_b", "crd_acrd_b", kRecord},
    {"*", "", "crd_a", kAllow},           {"*", "", "crd_anything", kAllow},    {"*", "", "crd_", kAllow},
    {"*", "", "lgn_a", kRecord},          {"*", "", "idn_a", kRecord},          {"*", "", "key_a", kRecord},
    {"*", "", "*", kRecord},              {"*", "", "", kRecord},               {"*", "", "crd", kRecord},
    {"*", "", "xcrd_a", kRecord},         {"*", "lgn_a", "lgn_a", kAllow},      {"*", "lgn_a", "lgn_b", kRecord},
    {"lgn_a", "", "lgn_a", kAllow},       {"lgn_a", "", "crd_a", kRecord},      {"", "", "crd_a", kRecord},
    {"", "", "", kRecord},
};

TEST(Decide, Records) {
  expect_all(kRecords, [](const RecordRow& row) {
    Policy policy = shopper();
    policy.records.clear();
    for (const char* id : {row.first, row.second})
      if (*id != '\0') policy.records.emplace_back(id);
    UseRequest request = use(1);
    request.record = row.record;
    return decide(request, &policy, {}, kNow);
  });
}

// --- currencies ------------------------------------------------------------------------------------------------

struct CurrencyRow {
  const char *policy, *request;
  Decision want;
};

constexpr CurrencyRow kCurrencies[] = {
    {"USD", "USD", kAllow},    {"USD", "EUR", kCurrency}, {"USD", "usd", kCurrency}, {"USD", "US", kCurrency},
    {"USD", "USDT", kCurrency}, {"USD", "", kCurrency},   {"USD", " USD", kCurrency}, {"EUR", "EUR", kAllow},
    {"EUR", "USD", kCurrency}, {"JPY", "JPY", kAllow},    {"KWD", "KWD", kAllow},    {"CLF", "CLF", kAllow},
    {"", "USD", kCurrency},    {"", "", kCurrency},
};

TEST(Decide, Currencies) {
  expect_all(kCurrencies, [](const CurrencyRow& row) {
    Policy policy = shopper();
    policy.currency = row.policy;
    UseRequest request = use(1);
    request.currency = row.request;
    return decide(request, &policy, {}, kNow);
  });
}

// --- time and the kill switch ------------------------------------------------------------------------------------

struct TimeRow {
  bool killed;
  std::int64_t expires_at, now;
  Decision want;
};

constexpr TimeRow kTimes[] = {
    {false, 0, 0, kAllow},            {false, 0, kNow, kAllow},         {false, 0, kMost, kAllow},      {false, 0, kLeast, kAllow},
    {false, kNow, kNow - 2, kAllow},  {false, kNow, kNow - 1, kAllow},  {false, kNow, kNow, kExpired},  {false, kNow, kNow + 1, kExpired},
    {false, kNow, 0, kAllow},         {false, kNow, kMost, kExpired},   {false, kNow, kLeast, kAllow},  {false, 1, 0, kAllow},
    {false, 1, 1, kExpired},          {false, kMost, kNow, kAllow},     {false, kMost, kMost - 1, kAllow}, {false, kMost, kMost, kExpired},
    {false, -1, 0, kExpired},         {false, -1, -2, kAllow},          {false, kLeast, kLeast, kExpired}, {false, kLeast, 0, kExpired},
    {true, 0, 0, kKilled},            {true, 0, kNow, kKilled},         {true, kNow + 1, kNow, kKilled}, {true, kNow, kNow, kKilled},
    {true, kMost, kLeast, kKilled},
};

TEST(Decide, ExpiryAndKill) {
  expect_all(kTimes, [](const TimeRow& row) {
    Policy policy = shopper();
    policy.killed = row.killed;
    policy.expires_at = row.expires_at;
    return decide(use(1), &policy, {}, row.now);
  });
}

// --- which rule speaks -------------------------------------------------------------------------------------------

// Two things wrong at once: the rule that stands first in the order speaks.
struct OrderRow {
  Rule one, other;
  Decision want;
};

constexpr OrderRow kOrder[] = {
    {Rule::killed, Rule::expired, kKilled},
    {Rule::killed, Rule::request, kKilled},
    {Rule::killed, Rule::record, kKilled},
    {Rule::killed, Rule::unlisted_merchant, kKilled},
    {Rule::killed, Rule::currency, kKilled},
    {Rule::killed, Rule::per_use, kKilled},
    {Rule::killed, Rule::per_day, kKilled},
    {Rule::killed, Rule::per_month, kKilled},
    {Rule::killed, Rule::uses_per_hour, kKilled},
    {Rule::killed, Rule::strength, kKilled},
    {Rule::killed, Rule::ask_above, kKilled},
    {Rule::expired, Rule::request, kExpired},
    {Rule::expired, Rule::record, kExpired},
    {Rule::expired, Rule::unlisted_merchant, kExpired},
    {Rule::expired, Rule::currency, kExpired},
    {Rule::expired, Rule::per_use, kExpired},
    {Rule::expired, Rule::per_day, kExpired},
    {Rule::expired, Rule::per_month, kExpired},
    {Rule::expired, Rule::uses_per_hour, kExpired},
    {Rule::expired, Rule::strength, kExpired},
    {Rule::expired, Rule::ask_above, kExpired},
    {Rule::request, Rule::record, kRequest},
    {Rule::request, Rule::unlisted_merchant, kRequest},
    {Rule::request, Rule::currency, kRequest},
    {Rule::request, Rule::per_use, kRequest},
    {Rule::request, Rule::per_day, kRequest},
    {Rule::request, Rule::per_month, kRequest},
    {Rule::request, Rule::uses_per_hour, kRequest},
    {Rule::request, Rule::strength, kRequest},
    {Rule::request, Rule::ask_above, kRequest},
    {Rule::record, Rule::unlisted_merchant, kRecord},
    {Rule::record, Rule::currency, kRecord},
    {Rule::record, Rule::per_use, kRecord},
    {Rule::record, Rule::per_day, kRecord},
    {Rule::record, Rule::per_month, kRecord},
    {Rule::record, Rule::uses_per_hour, kRecord},
    {Rule::record, Rule::strength, kRecord},
    {Rule::record, Rule::ask_above, kRecord},
    {Rule::unlisted_merchant, Rule::currency, kMerchant},
    {Rule::unlisted_merchant, Rule::per_use, kMerchant},
    {Rule::unlisted_merchant, Rule::per_day, kMerchant},
    {Rule::unlisted_merchant, Rule::per_month, kMerchant},
    {Rule::unlisted_merchant, Rule::uses_per_hour, kMerchant},
    {Rule::unlisted_merchant, Rule::strength, kMerchant},
    {Rule::unlisted_merchant, Rule::ask_above, kMerchant},
    {Rule::currency, Rule::per_use, kCurrency},
    {Rule::currency, Rule::per_day, kCurrency},
    {Rule::currency, Rule::per_month, kCurrency},
    {Rule::currency, Rule::uses_per_hour, kCurrency},
    {Rule::currency, Rule::strength, kCurrency},
    {Rule::currency, Rule::ask_above, kCurrency},
    {Rule::per_use, Rule::per_day, kPerUse},
    {Rule::per_use, Rule::per_month, kPerUse},
    {Rule::per_use, Rule::uses_per_hour, kPerUse},
    {Rule::per_use, Rule::strength, kPerUse},
    {Rule::per_use, Rule::ask_above, kPerUse},
    {Rule::per_day, Rule::per_month, kPerDay},
    {Rule::per_day, Rule::uses_per_hour, kPerDay},
    {Rule::per_day, Rule::strength, kPerDay},
    {Rule::per_day, Rule::ask_above, kPerDay},
    {Rule::per_month, Rule::uses_per_hour, kPerMonth},
    {Rule::per_month, Rule::strength, kPerMonth},
    {Rule::per_month, Rule::ask_above, kPerMonth},
    {Rule::uses_per_hour, Rule::strength, kPerHour},
    {Rule::uses_per_hour, Rule::ask_above, kPerHour},
    {Rule::strength, Rule::ask_above, kStrength},
};

// Makes one rule speak, and touches nothing that another rule looks at.
void offend(Rule rule, Policy& policy, UseRequest& request, Spent& spent) {
  switch (rule) {
    case Rule::killed: policy.killed = true; return;
    case Rule::expired: policy.expires_at = kNow; return;
    case Rule::request: spent.day = -1; return;
    case Rule::record: request.record = "crd_z"; return;
    case Rule::unlisted_merchant: request.merchant = "https://evil.example"; return;
    case Rule::currency: request.currency = "EUR"; return;
    case Rule::per_use: policy.per_use = 0; return;
    case Rule::per_day: policy.per_day = 0; return;
    case Rule::per_month: policy.per_month = 0; return;
    case Rule::uses_per_hour: policy.uses_per_hour = 0; return;
    case Rule::strength: policy.minimum = Strength::wire; return;
    case Rule::ask_above: policy.ask_above = 0; return;
    case Rule::no_policy:
    case Rule::within: return;
  }
}

TEST(Decide, TheFirstRuleSpeaks) {
  expect_all(kOrder, [](const OrderRow& row) {
    Policy policy = shopper();
    UseRequest request = use(1);
    Spent spent;
    offend(row.one, policy, request, spent);
    offend(row.other, policy, request, spent);
    return decide(request, &policy, spent, kNow);
  });
}

struct NullRow {
  std::int64_t amount, now;
  Decision want;
};

constexpr NullRow kNulls[] = {
    {1, kNow, kNoPolicy}, {0, kNow, kNoPolicy}, {-1, kNow, kNoPolicy}, {kMost, kNow, kNoPolicy}, {kLeast, 0, kNoPolicy}, {1, kMost, kNoPolicy},
};

TEST(Decide, NoPolicyIsNothing) {
  expect_all(kNulls, [](const NullRow& row) { return decide(use(row.amount), nullptr, {}, row.now); });
  const Policy empty;
  EXPECT_EQ(decide(use(1), &empty, {}, kNow).rule, Rule::record);
  EXPECT_EQ(Decision{}.verdict, Verdict::deny);
  EXPECT_EQ(Decision{}.rule, Rule::no_policy);
}

static_assert(std::size(kAmounts) + std::size(kUses) + std::size(kDays) + std::size(kMonths) + std::size(kSpent) +
                  std::size(kHours) + std::size(kAsks) + std::size(kStrengths) + std::size(kMerchants) +
                  std::size(kRecords) + std::size(kCurrencies) + std::size(kTimes) + std::size(kOrder) +
                  std::size(kNulls) >= 300,
              "the table of decide() has at least 300 rows");

TEST(Decide, WordsOfStrengths) {
  for (const Strength s : {kDom, kAttached, kSealed, kWire}) EXPECT_EQ(parse_strength(to_string(s)), s);
  for (const char* wrong : {"", "WIRE", "strong", "wire ", "dom,wire"}) EXPECT_FALSE(parse_strength(wrong)) << wrong;
}

}  // namespace
}  // namespace popvault::policy
