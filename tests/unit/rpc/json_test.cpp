#include "rpc/json.hpp"

#include <gtest/gtest.h>

#include "rpc/params.hpp"

namespace popvault {
namespace {

TEST(Json, CanonicalDump) {
  const auto v = Json::parse(" { \"b\" : [1, 2.5, true, null], \"a\" : \"x\\u00e9\\n\\\"\" } ");
  ASSERT_TRUE(v);
  EXPECT_EQ(v->dump(), "{\"a\":\"x\xc3\xa9\\n\\\"\",\"b\":[1,2.5,true,null]}");
}

TEST(Json, Refuses) {
  const std::string deep = std::string(17, '[') + std::string(17, ']');
  for (const std::string& text : {std::string("{\"a\":1,\"a\":2}"), std::string("{} x"), std::string("{}{}"), std::string(""),
                                  std::string("{\"a\":01}"), std::string("{'a':1}"), std::string("[1,]"), std::string("nul"),
                                  std::string("\"\xff\""), std::string("\"\xed\xa0\x80\""), std::string("[NaN]"),
                                  std::string("[1e999]"), std::string("// x\n{}"), deep})
    EXPECT_FALSE(Json::parse(text)) << text;
  EXPECT_TRUE(Json::parse(std::string(16, '[') + std::string(16, ']')));
  EXPECT_EQ(Json::parse(std::string(70000, ' ')).error().code, Errc::too_large);
}

TEST(Json, IntegersAreExact) {
  for (const char* text : {"1999.7", "1e3", "1.0", "9223372036854775808", "-9223372036854775809"})
    EXPECT_EQ(Json::parse(text)->integer(), nullptr) << text;
  EXPECT_EQ(*Json::parse("4294967301")->integer(), 4294967301);
  EXPECT_EQ(*Json::parse("-9223372036854775808")->integer(), INT64_MIN);
}

TEST(Params, NamesTheFault) {
  const auto fault = [](const char* text) {
    const auto v = Json::parse(text);
    Params in(*v);
    in.text("name", 4);
    in.optional_integer("count", 0, 9, 3);
    in.optional_flag("flag", false);
    const Status done = in.done();
    return done ? std::string("ok") : done.error().detail;
  };
  EXPECT_EQ(fault("{\"name\":\"x\"}"), "ok");
  EXPECT_EQ(fault("{}"), "name is missing");
  EXPECT_EQ(fault("{\"name\":7}"), "name must be a text of 1 to 4 bytes");
  EXPECT_EQ(fault("{\"name\":\"\"}"), "name must be a text of 1 to 4 bytes");
  EXPECT_EQ(fault("{\"name\":\"xxxxx\"}"), "name must be a text of 1 to 4 bytes");
  EXPECT_EQ(fault("{\"name\":\"x\",\"count\":10}"), "count must be an integer from 0 to 9");
  EXPECT_EQ(fault("{\"name\":\"x\",\"count\":1.0}"), "count must be an integer from 0 to 9");
  EXPECT_EQ(fault("{\"name\":\"x\",\"flag\":1}"), "flag must be true or false");
  EXPECT_EQ(fault("{\"name\":\"x\",\"other\":1}"), "unknown member other");
  EXPECT_EQ(fault("{\"name\":\"x\",\"a\\u001bb\":1}"), "an unknown member");
  EXPECT_EQ(fault("[]"), "params must be an object");
}

}  // namespace
}  // namespace popvault
