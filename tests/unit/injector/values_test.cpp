#include "injector/values.hpp"

#include <gtest/gtest.h>

#include "injector/secret_frame.hpp"
#include "injector/websocket.hpp"

namespace popvault::injector {
namespace {

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;
const Pairs kCard = {{"number", "4242424242424242"}, {"exp_month", "04"}, {"exp_year", "2031"}, {"cvv", "737"}, {"holder", "Zo\xc3\xab \"Z\""}};

Bundle bundle_of_pairs(const Pairs& pairs) {
  SecretFields fields;
  for (const auto& [name, value] : pairs) EXPECT_TRUE(fields.set(name, as_bytes(value)));
  auto fd = bundle_of(fields);
  EXPECT_TRUE(fd);
  auto bundle = Bundle::receive(*fd);
  EXPECT_TRUE(bundle);
  return std::move(*bundle);
}

std::string text(const SecretBytes& secret) { return std::string(as_text(secret.reveal(SecretAccess{}))); }

TEST(CardValues, EveryShape) {
  const auto card = CardValues::create(bundle_of_pairs(kCard), true, true);
  ASSERT_TRUE(card);
  const std::tuple<Field, int, const char*> rows[] = {
      {Field::number, 0, "4242424242424242"}, {Field::number, 32, "4242 4242 4242 4242"}, {Field::exp, 0, "0431"},
      {Field::exp, 1, "04/31"}, {Field::exp, 2, "04 / 31"}, {Field::exp, 3, "04-31"}, {Field::exp, 4, "04 31"},
      {Field::exp, 5, "04.31"}, {Field::exp, 7, "0431"}, {Field::exp, 8, "042031"}, {Field::exp, 9, "04/2031"},
      {Field::exp, 27, "2031-04"}, {Field::exp_month, 0, "04"}, {Field::exp_year, 0, "31"}, {Field::exp_year, 8, "2031"},
      {Field::cvc, 0, "737"}, {Field::holder, 0, "Zo\xc3\xab \"Z\""},
      {Field::holder, 64, "Zo\xc3\xab"}, {Field::holder, 128, "\"Z\""}};
  for (const auto& [field, bits, expected] : rows) EXPECT_EQ(text(card->text(field, Shape{static_cast<std::uint8_t>(bits)})), expected);
  EXPECT_EQ(text(card->expected(Field::exp, Shape{})), "042031");
  EXPECT_EQ(text(card->expected(Field::exp_year, Shape{})), "042031");
  EXPECT_EQ(text(card->expected(Field::number, Shape{})), "4242424242424242");
}

TEST(CardValues, RefusesWhatIsNoCard) {
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {"number", "4242"}, {"number", "4242 4242 4242 4242"}, {"number", "42424242424242424242"}, {"exp_month", "13"}, {"exp_month", "00"},
      {"exp_month", "4"}, {"exp_year", "31"}, {"exp_year", "20x1"}, {"cvv", "12"}, {"cvv", "12a"}, {"holder", ""}};
  for (const auto& [name, value] : wrong) {
    Pairs pairs = kCard;
    for (auto& pair : pairs)
      if (pair.first == name) pair.second = value;
    EXPECT_FALSE(CardValues::create(bundle_of_pairs(pairs), true, true)) << name << "=" << value;
  }
  EXPECT_FALSE(CardValues::create(bundle_of_pairs({kCard.begin(), kCard.begin() + 3}), true, false)) << "no code";
  EXPECT_TRUE(CardValues::create(bundle_of_pairs({kCard.begin(), kCard.begin() + 3}), false, false));
}

TEST(SecretFrame, IsOneMaskedFrameWithEscapedText) {
  for (const std::size_t padding : {0U, 200U, 70'000U}) {
    SecretFrame frame(padding + 64);
    frame.plain("{\"a\":\"").secret(as_bytes("x\"\\\n\x01\xc3\xab")).plain("\",\"n\":").secret_number('7').plain("}").plain(std::string(padding, ' '));
    const ByteView sealed = frame.seal();
    Bytes copy(sealed.begin(), sealed.end());
    ASSERT_EQ(copy[1] & 0x80, 0x80) << "not masked";
    copy[1] &= 0x7f;
    FrameHead head;
    ASSERT_EQ(parse_frame_head(copy, head), Parse::done);
    std::array<std::uint8_t, 4> mask{};
    std::copy_n(copy.begin() + static_cast<std::ptrdiff_t>(head.head_size), 4, mask.begin());
    const auto payload = std::span(copy).subspan(head.head_size + 4);
    ASSERT_EQ(payload.size(), head.size);
    apply_mask(payload, mask);
    EXPECT_EQ(std::string(as_text(payload)), "{\"a\":\"x\\\"\\\\\\u000a\\u0001\xc3\xab\",\"n\":55}" + std::string(padding, ' '));
  }
}

TEST(SecretFrame, OfThePipeEndsWithAZeroByteAndIsNotMasked) {
  SecretFrame frame(16);
  frame.plain("{\"a\":\"").secret(as_bytes("4\"2")).secret_byte('!').plain("\"}");
  EXPECT_EQ(as_text(frame.seal_with_zero()), std::string_view("{\"a\":\"4\\\"2!\"}\0", 14));
}

TEST(SecretFrameDeathTest, AbortsRatherThanOverflow) {
  EXPECT_DEATH(
      {
        SecretFrame frame(4);
        frame.plain("12345");
      },
      "");
}

}  // namespace
}  // namespace popvault::injector
