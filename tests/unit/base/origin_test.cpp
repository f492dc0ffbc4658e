#include "base/origin.hpp"

#include <gtest/gtest.h>

namespace popvault {
namespace {

TEST(Origin, Accepts) {
  const std::pair<const char*, const char*> rows[] = {
      {"https://shop.example", "https://shop.example"},   {"https://shop.example/", "https://shop.example"},
      {"https://shop.example:443", "https://shop.example"}, {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
      {"http://[::1]:9222", "http://[::1]:9222"},          {"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
  };
  for (const auto& [in, out] : rows) {
    const auto origin = Origin::parse(in);
    ASSERT_TRUE(origin) << in;
    EXPECT_EQ(origin->text(), out);
  }
}

TEST(Origin, Refuses) {
  for (const char* in : {"", "shop.example", "ftp://shop.example", "https://", "https://Shop.example", "https://a/b",
                         "https://user@shop.example", "https://shop.example:0", "https://shop.example:65536",
                         "https://shop.example:", "https://b\xc3\xbc.example", "https://a?b", "https://a#b", "https://a..b",
                         "https://.a", "https://[zz]", "https://a b", "https://a\n"})
    EXPECT_FALSE(Origin::parse(in)) << in;
}

TEST(Origin, OfUrl) {
  EXPECT_EQ(Origin::of_url("https://a.example/x?y=https://b.example")->text(), "https://a.example");
  EXPECT_EQ(Origin::of_url("https://a.example\\@b.example/")->text(), "https://a.example");
  EXPECT_FALSE(Origin::of_url("about:blank"));
  EXPECT_FALSE(Origin::of_url("https://a.example@b.example/"));
}

TEST(Origin, Loopback) {
  for (const char* in : {"http://127.0.0.1", "http://127.9.8.7:1", "http://localhost", "http://shop.localhost:1", "http://[::1]"})
    EXPECT_TRUE(Origin::parse(in)->loopback()) << in;
  for (const char* in : {"http://127.0.0.1.example", "http://128.0.0.1", "http://notlocalhost", "http://127.0.0", "http://localhost.example"})
    EXPECT_FALSE(Origin::parse(in)->loopback()) << in;
}

}  // namespace
}  // namespace popvault
