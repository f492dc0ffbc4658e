#include "rpc/guard_protocol.hpp"

#include <gtest/gtest.h>

namespace popvault::guard {
namespace {

Configure configure() {
  Configure c;
  c.program = "/usr/bin/chromium";
  c.headless = true;
  c.port = 9333;
  c.profile = "/home/a/.local/share/popvault/browser";
  c.require_token = true;
  c.environment = {"HOME=/home/a", "LANG=C.UTF-8"};
  c.processors = {"https://psp.example"};
  return c;
}

std::vector<Bytes> messages() {
  return {configure().encode(), Started{9333, std::string(32, 'a')}.encode(), Failed{Reason::port_taken}.encode(),
          Processors{{"https://psp.example", "https://js.psp.example"}}.encode(), Open{{1, 2}, Strength::wire}.encode(),
          Signal{Message::opened, {3}}.encode()};
}

int decoded(ByteView m) {
  return Configure::decode(m).has_value() + Started::decode(m).has_value() + Failed::decode(m).has_value() +
         Processors::decode(m).has_value() + Open::decode(m).has_value() + Signal::decode(m).has_value();
}

TEST(GuardProtocol, RoundTrip) {
  const auto back = Configure::decode(configure().encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->encode(), configure().encode());
  EXPECT_EQ(back->environment, configure().environment);
  EXPECT_EQ(Processors::decode(messages()[3])->origins.size(), 2U);
}

TEST(GuardProtocol, EachIsOneMessageAndNoOther) {
  for (const Bytes& m : messages()) EXPECT_EQ(decoded(m), 1);
}

TEST(GuardProtocol, EveryTruncationAndEveryExtensionIsRefused) {
  for (Bytes m : messages()) {
    for (std::size_t n = 0; n < m.size(); ++n) EXPECT_EQ(decoded(ByteView(m).first(n)), 0) << n;
    m.push_back(0);
    EXPECT_EQ(decoded(m), 0);
  }
}

TEST(GuardProtocol, WhatTheGuardSaysIsNoText) {
  EXPECT_FALSE(Started::decode(Started{9333, "not hex"}.encode()));
  EXPECT_FALSE(Started::decode(Started{0, {}}.encode()));
  EXPECT_FALSE(Failed::decode(Bytes{3, kReasonCount}));
}

}  // namespace
}  // namespace popvault::guard
