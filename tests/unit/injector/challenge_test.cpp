// Frames of 3-D Secure and what looks like one.
#include "injector/challenge.hpp"

#include <gtest/gtest.h>

namespace popvault::injector {
namespace {

TEST(Challenge, Table) {
  const std::vector<std::string> none, recipe{"https://bank.example", "https://pay.example/step-up"};
  struct Row {
    const char* url;
    const char* name;
    bool is;
  };
  const Row rows[] = {
      {"https://acs.bank.example/auth", "", true},
      {"https://acs2.example/auth", "", true},
      {"https://acsess.example/auth", "", false},
      {"https://hooks.psp.example/3d_secure_2/hosted", "", true},
      {"https://js.psp.example/v3/three-ds-2-challenge-5f3c.html", "__privateStripeFrame1", true},
      {"https://js.psp.example/v3/three-ds-2-fingerprint-5f3c.html", "__privateStripeFrame1", false},
      {"https://x.example/", "threeDSChallengeFrame", true},
      {"https://x.example/", "threeDSIframe", true},
      {"https://x.example/", "threeDSMethodIframe", false},
      {"https://x.example/", "cardinal 3ds2", true},
      {"https://x.example/ThreeDSecure/Step", "", true},
      {"about:blank", "challenge-window", true},
      {"", "creqFrame", true},
      {"https://x.example/acs/creq?x=1", "", true},
      {"https://shop.example/checkout", "card-number", false},
      {"https://shop.example/packs/macs", "backdrop", false},
      {"https://shop.example/?next=/3ds/challenge", "", false},
      {"https://newassets.hcaptcha.com/captcha/v1/x#frame=challenge", "", false},
      {"https://challenges.cloudflare.com/turnstile/v0", "challenge", false},
      {"https://www.google.com/recaptcha/api2/bframe", "c-abc", false},
      {"data:text/html,challenge", "challenge", false},
      {"javascript:challenge", "", false},
  };
  for (const Row& row : rows) EXPECT_EQ(is_challenge(row.url, row.name, none), row.is) << row.url << " " << row.name;
  EXPECT_TRUE(is_challenge("https://bank.example/x", "", recipe));
  EXPECT_TRUE(is_challenge("https://bank.example", "", recipe));
  EXPECT_TRUE(is_challenge("https://pay.example/step-up?id=1", "", recipe));
  EXPECT_FALSE(is_challenge("https://bank.example.evil.example/x", "", recipe));
  EXPECT_FALSE(is_challenge("https://pay.example/step-upwards", "", recipe));
  EXPECT_FALSE(is_challenge("https://pay.example/other", "", recipe));
  EXPECT_FALSE(is_challenge("http://bank.example/x", "", recipe));
  EXPECT_FALSE(is_challenge("https://anything.example", "", std::vector<std::string>{""}));
}

}  // namespace
}  // namespace popvault::injector
