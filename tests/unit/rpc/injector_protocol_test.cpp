#include "rpc/injector_protocol.hpp"

#include <gtest/gtest.h>

namespace popvault::injector {
namespace {

Job job() {
  Job j;
  j.id = {1, 2, 3};
  j.page = "https://shop.example/pay";
  j.origins = {"https://shop.example", "https://psp.example"};
  j.has_cvc = true;
  j.deadline_ms = 20000;
  j.strength = Strength::wire;
  j.guarded = true;
  j.armed_ms = 600000;
  j.fields = 5;
  j.aliases = {"4000056655665556", "05", "2030", "123"};
  j.recipes = {"{}"};
  j.accounts = {"pk_test"};
  j.price = {"#total", 1999, 2, 50};
  return j;
}

std::vector<Bytes> messages() {
  return {job().encode(), Ready{{9}, {{Field::number, 1, Why::ok}, {Field::cvc, 0xff, Why::missing}}}.encode(),
          BundleNotice{{4}}.encode(), Done{{5}, Outcome::field_rejected, true, true, {{Field::exp, 0, Why::not_kept}}}.encode(),
          Signal{Message::wanted, {6}}.encode()};
}

int decoded(ByteView m) {
  return Job::decode(m).has_value() + Ready::decode(m).has_value() + BundleNotice::decode(m).has_value() +
         Done::decode(m).has_value() + Signal::decode(m).has_value();
}

TEST(InjectorProtocol, RoundTrip) {
  const auto back = Job::decode(job().encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->encode(), job().encode());
  const auto done = Done::decode(messages()[3]);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->encode(), messages()[3]);
  const auto ready = Ready::decode(messages()[1]);
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->fields.size(), 2U);
}

TEST(InjectorProtocol, EachIsOneMessageAndNoOther) {
  for (const Bytes& m : messages()) EXPECT_EQ(decoded(m), 1);
}

TEST(InjectorProtocol, EveryTruncationAndEveryExtensionIsRefused) {
  for (Bytes m : messages()) {
    for (std::size_t n = 0; n < m.size(); ++n) EXPECT_EQ(decoded(ByteView(m).first(n)), 0) << n;
    m.push_back(0);
    EXPECT_EQ(decoded(m), 0);
  }
}

TEST(InjectorProtocol, BitFlipsNeverCrashAndKeepTheirForm) {
  for (const Bytes& whole : messages())
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      Bytes m = whole;
      m[bit / 8] = static_cast<std::uint8_t>(m[bit / 8] ^ (1U << bit % 8));
      if (const auto j = Job::decode(m)) EXPECT_EQ(j->encode(), m);
      if (const auto d = Done::decode(m)) EXPECT_EQ(d->encode(), m);
    }
}

TEST(InjectorProtocol, EveryOutcomeHasAReason) {
  for (std::uint8_t i = 1; i < kOutcomeCount; ++i) EXPECT_FALSE(info(to_errc(static_cast<Outcome>(i))).word.empty());
}

}  // namespace
}  // namespace popvault::injector
