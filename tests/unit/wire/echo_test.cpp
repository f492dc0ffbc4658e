// A response that holds the number in any of the forms, and those that do not.
#include <algorithm>

#include "sample.hpp"
#include "wire/alias.hpp"
#include "wire/echo.hpp"

using namespace popvault;
using namespace popvault::wire;

namespace {

const std::string kNumber = "5105105105105100";

bool found(const std::string& text, std::size_t step = 0) {
  EchoCheck check(as_bytes(kNumber));
  if (step == 0) step = text.size() + 1;
  for (std::size_t i = 0; i < text.size(); i += step) check.feed(as_bytes(text.substr(i, step)));
  return check.found();
}

std::string grouped(const std::string& separator) {
  return "5105" + separator + "1051" + separator + "0510" + separator + "5100";
}
std::string between(const std::string& before, const std::string& after) {
  std::string out;
  for (const char c : kNumber) out += before + c + after;
  return out;
}
std::string hex(char c) { return to_hex(as_bytes(std::string(1, c))); }
std::string each(const std::function<std::string(char)>& form) {
  std::string out;
  for (const char c : kNumber) out += form(c);
  return out;
}
std::string base64(const std::string& text) { return to_base64(as_bytes(text)); }
std::string base64url(const std::string& text) { return to_base64url(as_bytes(text)); }

TEST(Echo, EveryForm) {
  std::string reversed = kNumber;
  std::reverse(reversed.begin(), reversed.end());
  const std::string utf16 = between("", std::string(1, '\0')), utf16_be = between(std::string(1, '\0'), "");
  std::vector<std::string> forms = {
      kNumber, "\"" + kNumber + "\"", grouped(" "), grouped("-"), grouped("\xc2\xa0"), grouped(" - "), grouped("\\n"),
      grouped("+"), grouped("%20"), grouped("&nbsp;"), reversed, utf16, utf16_be, between("", std::string(3, '\0')),
      "[" + between("\"", "\",") + "]",
      each([](char c) { return "%" + hex(c); }), each([](char c) { return "%25" + hex(c); }),
      each([](char c) { return "\\u00" + hex(c); }), each([](char c) { return "\\\\u00" + hex(c); }),
      each([](char c) { return "\\x" + hex(c); }), each([](char c) { return "&#" + std::to_string(c) + ";"; }),
      each([](char c) { return "&#x" + hex(c) + ";"; }), each([](char c) { return "&#" + std::to_string(c); }),
      each(hex), "a" + each(hex), "x" + each(hex), each([](char c) { return hex(c) + ":"; }),
      each([](char c) { return "0x" + hex(c) + ", "; }), each([](char c) { return hex(c) + "00"; }),
      base64(grouped(" ")), base64(utf16), base64(reversed)};
  for (const char* before : {"", "a", "ab", "abc", "{\"number\":\""}) {
    for (const char* after : {"", "\"", "\"}"}) {
      const std::string text = before + kNumber + after;
      forms.insert(forms.end(), {base64(text), base64url(text), "x" + base64(text), "=" + base64(text) + ".", "ab" + base64url(text),
                                 "{\"a\":\"" + base64url(text) + "\"}", base64url(text) + ".sig"});
    }
  }
  for (const std::string& form : forms) {
    EXPECT_TRUE(found(form)) << form;
    EXPECT_TRUE(found("{\"error\":\"no: " + form + "\"}")) << form;
    EXPECT_TRUE(found(form, 1)) << form;
    EXPECT_TRUE(found("..." + form + "...", 7)) << form;
  }
}

TEST(Echo, WhatProcessorsAnswer) {
  for (const std::string& text :
       {std::string(R"({"id":"tok_1abc","card":{"last4":"5100","exp_month":12,"exp_year":2029,"bin":"51051051"}})"),
        std::string("5105 10** **** 5100"), std::string("510510510510510"), std::string("5105105105105101"),
        std::string("5105105105x105100"), std::string(), grouped("         ")})
    EXPECT_FALSE(found(text)) << text;
  std::string noise;
  std::uint32_t state = 1;
  for (int i = 0; i < 200'000; ++i) {
    state = state * 1664525 + 1013904223;
    noise.push_back("0123456789abcdefXYZ -%\\+/"[state >> 24 & 15]);
  }
  EXPECT_FALSE(found(noise));
}

TEST(Echo, OtherLengths) {
  for (const char* number : {"378282246310005", "4222222222222", "6304000000000000000", "501800000009"}) {
    EXPECT_TRUE(holds_number(std::string("a ") + number, as_bytes(number)));
    EXPECT_FALSE(holds_number(std::string(number).substr(1), as_bytes(number)));
  }
  EXPECT_FALSE(holds_number("123", as_bytes("123")));
  EXPECT_FALSE(holds_number("123", {}));
}

bool luhn(const std::string& number) {
  int sum = 0;
  bool twice = false;
  for (auto at = number.rbegin(); at != number.rend(); ++at, twice = !twice) {
    const int digit = (*at - '0') * (twice ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 == 0;
}

RandomBytes counting(std::uint32_t seed) {
  return [state = seed](std::span<std::uint8_t> out) mutable {
    for (auto& byte : out) {
      state = state * 1664525 + 1013904223;
      byte = static_cast<std::uint8_t>(state >> 24);
    }
  };
}

TEST(Alias, BrandLengthAndLuhn) {
  const struct {
    const char* brand;
    std::size_t length, cvc;
    const char* begins;
  } rows[] = {{"visa", 16, 3, "4"},     {"visa", 13, 3, "4"},     {"visa", 19, 0, "4"},   {"mastercard", 16, 3, "52"},
              {"amex", 15, 4, "3"},     {"discover", 16, 3, "60"}, {"diners", 14, 3, "3"}, {"jcb", 16, 3, "35"},
              {"unionpay", 19, 3, "62"}, {"maestro", 12, 3, "67"}, {"card", 16, 3, "9999"}};
  for (const auto& row : rows) {
    for (std::uint32_t seed = 0; seed < 50; ++seed) {
      const auto alias = aliases_for(row.brand, row.length, row.cvc, 2026, counting(seed));
      ASSERT_TRUE(alias);
      EXPECT_EQ(alias->number.size(), row.length);
      EXPECT_TRUE(luhn(alias->number)) << alias->number;
      EXPECT_TRUE(std::string(row.begins).find(alias->number[0]) != std::string::npos) << alias->number;
      EXPECT_EQ(alias->cvc.size(), row.cvc);
      EXPECT_EQ(alias->exp_month, "05");
      EXPECT_EQ(alias->exp_year, "2030");
    }
  }
  EXPECT_NE(aliases_for("visa", 16, 3, 2026, counting(1))->number, aliases_for("visa", 16, 3, 2026, counting(2))->number);
  for (const auto& [length, cvc] : {std::pair<std::size_t, std::size_t>{11, 3}, {20, 3}, {16, 2}, {16, 5}})
    EXPECT_FALSE(aliases_for("visa", length, cvc, 2026, counting(1)));
}

}  // namespace
