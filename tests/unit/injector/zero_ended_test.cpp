#include "injector/zero_ended.hpp"

#include <gtest/gtest.h>

#include "injector/websocket.hpp"

namespace popvault::injector {
namespace {

using namespace std::literals;

TEST(ZeroEndedReader, GivesWholeMessagesWhateverThePieces) {
  const std::string_view stream = "{\"id\":1}\0{\"id\":2}\0{\"id\""sv;
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    ZeroEndedReader reader;
    std::vector<std::string> got;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(as_bytes(stream.substr(at, piece)));
      while (auto message = reader.next()) got.push_back(*message);
    }
    EXPECT_EQ(got, (std::vector<std::string>{"{\"id\":1}", "{\"id\":2}"})) << piece;
    EXPECT_FALSE(reader.failed());
  }
}

TEST(ZeroEndedReader, RefusesEmptyAndEndlessMessages) {
  ZeroEndedReader empty;
  empty.feed(as_bytes("a\0\0b\0"sv));
  EXPECT_EQ(empty.next(), "a");
  EXPECT_EQ(empty.next(), std::nullopt);
  EXPECT_TRUE(empty.failed());

  ZeroEndedReader endless;
  endless.feed(Bytes(kMaxMessage + 1, 'x'));
  EXPECT_EQ(endless.next(), std::nullopt);
  EXPECT_TRUE(endless.failed());
}

}  // namespace
}  // namespace popvault::injector
