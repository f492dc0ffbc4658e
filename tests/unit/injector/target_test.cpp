#include "injector/target.hpp"

#include <gtest/gtest.h>

namespace popvault::injector {
namespace {

Job job() {
  Job out;
  out.origins = {"https://shop.example", "https://psp.example", "http://shop.localhost:8080"};
  return out;
}

TEST(PickTarget, ExactIdOrExactUrlAmongPages) {
  const Json targets = *Json::parse(R"({"targetInfos":[
    {"targetId":"A","type":"page","url":"https://shop.example/pay"},
    {"targetId":"B","type":"page","url":"https://evil.example/?https://shop.example/pay"},
    {"targetId":"C","type":"iframe","url":"https://shop.example/pay"},
    {"targetId":"D","type":"page","url":"https://shop.example/twice"},
    {"targetId":"E","type":"page","url":"https://shop.example/twice"}]})");
  Job wanted = job();
  const auto pick = [&](bool by_id, const char* page) {
    wanted.by_target_id = by_id;
    wanted.page = page;
    return pick_target(targets, wanted);
  };
  EXPECT_EQ(*pick(false, "https://shop.example/pay"), "A");
  EXPECT_EQ(*pick(true, "B"), "B");
  EXPECT_EQ(pick(true, "C").error().outcome, Outcome::page_not_found);
  EXPECT_EQ(pick(false, "https://shop.example").error().outcome, Outcome::page_not_found);
  EXPECT_EQ(pick(false, "https://shop.example/twice").error().outcome, Outcome::page_ambiguous);
  EXPECT_EQ(pick(true, "").error().outcome, Outcome::page_not_found);
  EXPECT_EQ(pick_target(Json(), wanted).error().outcome, Outcome::failed);
}

TEST(BrowserAllowed, RefusesWhatLogsOrForwards) {
  EXPECT_TRUE(browser_allowed("/usr/bin/chromium --headless --remote-debugging-port=9222 about:blank", false));
  EXPECT_TRUE(browser_allowed("chromium --remote-debugging-address=127.0.0.1 --enable-logging", false));
  EXPECT_TRUE(browser_allowed("chromium --version-check --vary", false)) << "only the first letters are the same";
  for (const char* flag : {"--log-net-log=/tmp/x", "--log-net-log", "--v=1", "--vmodule=net*=2", "--proxy-server=a:1", "--proxy-pac-url=http://x",
                           "--host-resolver-rules=MAP * 127.0.0.1", "--host-rules=x", "--ssl-key-log-file=/tmp/k",
                           "--remote-debugging-address=0.0.0.0", "--ignore-certificate-errors"})
    EXPECT_FALSE(browser_allowed(std::string("chromium --headless ") + flag + " about:blank", false)) << flag;
  EXPECT_TRUE(browser_allowed("chromium --ignore-certificate-errors", true));
  // Chromium takes one dash as well, with any value, and the last of several.
  for (const char* line : {"chromium -log-net-log=F", "chromium -log-net-log", "chromium -v=1 x", "chromium\t--v=1", "-proxy-server=a:1",
                           "chromium \"-log-net-log=/a b\"", "chromium -ssl-key-log-file=", "chromium -remote-debugging-address=0.0.0.0",
                           "chromium --remote-debugging-address=127.0.0.1 --remote-debugging-address=0.0.0.0",
                           "chromium --remote-debugging-address"})
    EXPECT_FALSE(browser_allowed(line, false)) << line;
  for (const char* line : {"chromium x-log-net-log=F", "chromium --user-data-dir=/a-v=1", "chromium - -- -version", "chromium", "", "-"})
    EXPECT_TRUE(browser_allowed(line, false)) << line;
}

TEST(OriginIndex, OnlyListedHttpsOrAllowedLoopback) {
  Job wanted = job();
  EXPECT_EQ(origin_index(wanted, "https://shop.example/pay?x", "https://shop.example"), 0);
  EXPECT_EQ(origin_index(wanted, "https://shop.example:443/", "https://shop.example"), 0);
  EXPECT_EQ(origin_index(wanted, "https://psp.example/f", "https://psp.example"), 1);
  EXPECT_EQ(origin_index(wanted, "http://shop.localhost:8080/", "http://shop.localhost:8080"), kNoOrigin);
  wanted.allow_loopback_http = true;
  EXPECT_EQ(origin_index(wanted, "http://shop.localhost:8080/", "http://shop.localhost:8080"), 2);
  for (const auto& [url, origin] : {std::pair{"about:srcdoc", "https://shop.example"}, {"about:blank", "https://shop.example"},
                                    {"blob:https://shop.example/1", "https://shop.example"}, {"data:text/html,x", "null"},
                                    {"https://shop.example/", "null"}, {"https://shop.example/", "://"}, {"https://evil.example/", "https://shop.example"},
                                    {"https://shop.example.evil/", "https://shop.example.evil"}, {"http://shop.example/", "http://shop.example"},
                                    {"https://shop.example:444/", "https://shop.example:444"}, {"", ""}})
    EXPECT_EQ(origin_index(wanted, url, origin), kNoOrigin) << url << " " << origin;
}

}  // namespace
}  // namespace popvault::injector
