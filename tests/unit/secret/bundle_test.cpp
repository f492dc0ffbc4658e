#include "secret/bundle.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "secret/arena.hpp"

namespace popvault {
namespace {

SecretFields sample() {
  SecretFields fields;
  EXPECT_TRUE(fields.set("number", as_bytes("4242424242424242")));
  EXPECT_TRUE(fields.set("cvv", as_bytes("123")));
  return fields;
}

std::string value(const Bundle& bundle, std::string_view name) {
  const auto found = bundle.find(name, SecretAccess{});
  return found ? std::string(as_text(*found)) : "(none)";
}

TEST(Fields, SetReplaceErase) {
  SecretFields fields = sample();
  ASSERT_TRUE(fields.set("cvv", as_bytes("9")));
  EXPECT_EQ(as_text(*fields.find("cvv", SecretAccess{})), "9");
  fields.erase("number");
  EXPECT_FALSE(fields.has("number"));
  EXPECT_EQ(fields.names(), std::vector<std::string>{"cvv"});
  EXPECT_FALSE(fields.set("Bad Name", as_bytes("x")));
  EXPECT_FALSE(fields.set("", as_bytes("x")));
}

TEST(Fields, EveryTruncationIsRefused) {
  const SecretFields fields = sample();
  const ByteView whole = fields.reveal(SecretAccess{});
  EXPECT_TRUE(SecretFields::well_formed(whole));
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(SecretFields::well_formed(whole.first(n))) << n;
  Bytes longer(whole.begin(), whole.end());
  longer.push_back(0);
  EXPECT_FALSE(SecretFields::well_formed(longer));
}

TEST(Fields, DuplicateNamesAreRefused) {
  const Bytes twice = {0, 2, 1, 'a', 0, 0, 1, 'a', 0, 0};
  EXPECT_FALSE(SecretFields::well_formed(twice));
}

TEST(Bundle, GoesThroughSecretMemory) {
  const JobId job{1, 2, 3};
  auto fd = bundle_of(sample(), job);
  ASSERT_TRUE(fd);
  auto bundle = Bundle::receive(*fd, job);
  ASSERT_TRUE(bundle);
  EXPECT_EQ(value(*bundle, "number"), "4242424242424242");
  EXPECT_EQ(value(*bundle, "cvv"), "123");
  EXPECT_EQ(value(*bundle, "holder"), "(none)");
}

TEST(Bundle, AnotherJobIsRefused) {
  auto fd = bundle_of(sample(), JobId{1});
  ASSERT_TRUE(fd);
  EXPECT_FALSE(Bundle::receive(*fd, JobId{2}));
}

TEST(Bundle, TheSharedRegionIsWipedOnReceipt) {
  auto fd = bundle_of(sample());
  ASSERT_TRUE(fd);
  const int copy = dup(*fd);
  ASSERT_TRUE(Bundle::receive(*fd));
  EXPECT_FALSE(Bundle::receive(copy)) << "a second receipt found the bytes again";
}

TEST(Bundle, APlainFileIsRefused) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[1]);
  EXPECT_FALSE(Bundle::receive(ends[0])) << "an empty pipe";
  EXPECT_FALSE(Bundle::receive(-1));
}

// Last: it changes the process for good.
TEST(BundleFallback, GoesThroughAPipe) {
  force_locked_pages();
  auto fd = bundle_of(sample());
  ASSERT_TRUE(fd);
  auto bundle = Bundle::receive(*fd);
  ASSERT_TRUE(bundle);
  EXPECT_EQ(value(*bundle, "number"), "4242424242424242");
}

}  // namespace
}  // namespace popvault
