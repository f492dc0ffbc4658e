#include "injector/secret_frame.hpp"

#include <gtest/gtest.h>

#include "injector/conversation.hpp"

namespace popvault::injector {
namespace {

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

// What is typed for a card in wire.
TEST(AliasValues, AreTypedLikeACard) {
  Job job;
  job.aliases = {"4000056655665556", "01", "2039", "111"};
  job.has_cvc = job.has_holder = true;
  const auto values = alias_values(job);
  ASSERT_TRUE(values);
  const auto text = [&](Field field, Shape shape) {
    const SecretBytes bytes = values->text(field, shape);
    return std::string(as_text(bytes.reveal(SecretAccess{})));
  };
  EXPECT_EQ(text(Field::number, Shape{}), "4000056655665556");
  EXPECT_EQ(text(Field::exp, Shape{1}), "01/39");
  EXPECT_EQ(text(Field::cvc, Shape{}), "111");
  EXPECT_EQ(text(Field::holder, Shape{}), kHolderAlias);

  job.aliases.number = "4000 0566";
  EXPECT_FALSE(alias_values(job));
  job.aliases.number.clear();
  EXPECT_FALSE(alias_values(job));
}

}  // namespace
}  // namespace popvault::injector
