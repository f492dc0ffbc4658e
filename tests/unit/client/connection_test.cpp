#include "client/connection.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "support/fake_server.hpp"

namespace popvault::client {
namespace {

using test::FakeServer;
using test::Heard;

TEST(Connection, SendsOneCanonicalLineAndGivesTheResult) {
  FakeServer server([](const Heard& heard) {
    EXPECT_EQ(heard.request.dump(),
              R"({"id":1,"jsonrpc":"2.0","method":"record.show","params":{"id":"rec_1"}})");
    return FakeServer::result(heard, Json::Object{{"label", "Demo"}});
  });
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  const Reply reply = connection->call("record.show", Json::Object{{"id", "rec_1"}});
  ASSERT_TRUE(reply);
  EXPECT_EQ((*reply)["label"].text_or(""), "Demo");
}

TEST(Connection, LeavesNullParamsOut) {
  FakeServer server([](const Heard& heard) {
    EXPECT_EQ(heard.request.dump(), R"({"id":1,"jsonrpc":"2.0","method":"vault.status"})");
    return FakeServer::result(heard, Json::Object{});
  });
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  EXPECT_TRUE(connection->call("vault.status"));
}

TEST(Connection, SkipsEventsAndLateAnswersAndJoinsPieces) {
  FakeServer server([](const Heard& heard) {
    return R"({"jsonrpc":"2.0","method":"event","params":{"purchase":"pur_1","status":"approved"}})"
           "\n"
           R"({"id":99,"jsonrpc":"2.0","result":{"which":"late"}})"
           "\n" +
           FakeServer::result(heard, Json::Object{{"which", "mine"}, {"filler", std::string(100'000, 'x')}});
  });
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  const Reply reply = connection->call("any");
  ASSERT_TRUE(reply);
  EXPECT_EQ((*reply)["which"].text_or(""), "mine");
}

TEST(Connection, KeepsEventsForThoseWhoTakeThem) {
  constexpr const char* kEvent = R"({"jsonrpc":"2.0","method":"event","params":{"what":"locked"}})";
  FakeServer server([&](const Heard& heard) {
    return std::string(kEvent) + "\n" + FakeServer::result(heard, Json::Object{}) + kEvent + "\n" +
           R"({"id":4,"jsonrpc":"2.0","method":"event","params":{"what":"no event"}})" + "\n" + kEvent + "\n";
  });
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  ASSERT_TRUE(connection->call("any"));  // not kept
  connection->keep_events();
  ASSERT_TRUE(connection->call("any"));
  ASSERT_TRUE(connection->call("any"));  // what is left of the call before is certainly there now
  std::size_t events = 0;
  while (events < 5) {
    const auto event = connection->next_event();
    ASSERT_TRUE(event) << event.error().message();
    if (!*event) continue;
    EXPECT_EQ((**event)["what"].text_or(""), "locked");
    ++events;
  }
}

TEST(Connection, PassesTheDescriptorWithItsRequest) {
  FakeServer server([](const Heard& heard) {
    EXPECT_EQ(heard.descriptors.size(), heard.request["method"].text_or("") == "with" ? 1U : 0U);
    return FakeServer::result(heard, Json::Object{});
  });
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Descriptor a(ends[0]), b(ends[1]);
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  EXPECT_TRUE(connection->call("with", {}, {ends[0], kCallTimeout}));
  EXPECT_TRUE(connection->call("without"));
}

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(Connection, TakesTheDescriptorThatCameWithTheResult) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Descriptor a(ends[0]), b(ends[1]);
  FakeServer server([&](const Heard& heard) {
    const std::string method = heard.request["method"].text_or("");
    server.pass(method == "without" ? std::vector<int>{} : std::vector<int>(method == "two" ? 2 : 1, a.get()));
    if (method == "refused") return FakeServer::error(heard, Json::Object{{"code", 1}, {"message", "m"}});
    return FakeServer::result(heard, Json::Object{{"filler", std::string(100'000, 'x')}});
  });
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  ASSERT_TRUE(connection->call("without"));
  const auto before = open_descriptors();
  Descriptor got;
  ASSERT_TRUE(connection->call("with", {}, {-1, kCallTimeout, &got}));
  ASSERT_TRUE(got);
  struct stat ours{}, theirs{};
  ASSERT_EQ(fstat(a.get(), &ours) + fstat(got.get(), &theirs), 0);
  EXPECT_EQ(ours.st_ino, theirs.st_ino);
  EXPECT_NE(fcntl(got.get(), F_GETFD) & FD_CLOEXEC, 0);
  got.reset();
  EXPECT_TRUE(connection->call("with"));  // nobody asked for it
  EXPECT_TRUE(connection->call("two", {}, {-1, kCallTimeout, &got}));
  got.reset();
  EXPECT_FALSE(connection->call("refused", {}, {-1, kCallTimeout, &got}));
  EXPECT_FALSE(got);
  EXPECT_TRUE(connection->call("without", {}, {-1, kCallTimeout, &got}));
  EXPECT_FALSE(got);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Connection, PassesTwoInTheirOrder) {
  std::vector<std::size_t> sizes;
  FakeServer server([&](const Heard& heard) {
    for (const Descriptor& one : heard.descriptors) {
      char text[8];
      sizes.push_back(static_cast<std::size_t>(read(one.get(), text, sizeof text)));
    }
    return FakeServer::result(heard, Json::Object{});
  });
  int first[2], second[2];
  ASSERT_EQ(pipe(first) + pipe(second), 0);
  const Descriptor a(first[0]), b(first[1]), c(second[0]), d(second[1]);
  ASSERT_EQ(write(b.get(), "x", 1) + write(d.get(), "yy", 2), 3);
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  EXPECT_TRUE(connection->call("both", {}, {a.get(), kCallTimeout, nullptr, c.get()}));
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2}));
}

TEST(Connection, MapsErrorsBackWithDetailAndData) {
  FakeServer server([](const Heard& heard) {
    const Json data =
        Json::Object{{"reason", "fields_missing"}, {"fields", Json::Array{Json::Object{{"field", "cvc"}}}}};
    return FakeServer::error(
        heard, Json::Object{{"code", 1408},
                            {"data", data},
                            {"message", "the page has no usable field for a required value: cvc"}});
  });
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  const Reply reply = connection->call("purchase.fill");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Errc::fields_missing);
  EXPECT_EQ(reply.error().detail, "cvc");
  EXPECT_EQ(reply.error().message(), "the page has no usable field for a required value: cvc");
  EXPECT_EQ((*reply.error().data["fields"].array())[0]["field"].text_or(""), "cvc");
}

TEST(Connection, EveryWordOfTheTableComesBack) {
  for (const ErrcInfo& row : errc_table()) {
    const Json error =
        Json::Object{{"code", row.code}, {"data", Json::Object{{"reason", row.word}}}, {"message", row.text}};
    const Refusal refusal = refusal_of(error);
    EXPECT_EQ(refusal.code, row.errc);
    EXPECT_EQ(refusal.detail, "");
  }
  const Refusal unknown =
      refusal_of(Json::Object{{"data", Json::Object{{"reason", "of_tomorrow"}}}, {"message", "m"}});
  EXPECT_EQ(unknown.code, Errc::internal);
  EXPECT_EQ(unknown.detail, "m");
  EXPECT_EQ(refusal_of(Json()).code, Errc::internal);
}

TEST(Connection, TakesAnErrorWithoutId) {
  FakeServer server([](const Heard&) {
    return std::string(
        R"({"error":{"code":1003,"data":{"reason":"too_many_connections"},"message":"x"},"id":null,"jsonrpc":"2.0"})"
        "\n");
  });
  auto connection = Connection::open(server.path());
  ASSERT_TRUE(connection);
  EXPECT_EQ(connection->call("any").error().code, Errc::too_many_connections);
}

TEST(Connection, NobodyThere) {
  EXPECT_EQ(Connection::open("/tmp/pv-no-such-folder/owner.sock").error().code, Errc::daemon_unreachable);
  EXPECT_EQ(Connection::open("/tmp/" + std::string(200, 'x')).error().code, Errc::path_too_long);
}

TEST(Connection, ClosedGarbageLateAndTooLong) {
  {
    FakeServer server([](const Heard&) { return std::nullopt; });
    auto connection = Connection::open(server.path());
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->call("any").error().code, Errc::daemon_unreachable);
  }
  {
    FakeServer server([](const Heard&) { return std::string("not json\n"); });
    auto connection = Connection::open(server.path());
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->call("any").error().code, Errc::parse_error);
  }
  {
    FakeServer server([](const Heard&) { return std::string("{"); });
    auto connection = Connection::open(server.path());
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->call("any", {}, {-1, std::chrono::milliseconds(50)}).error().code, Errc::timeout);
  }
  {
    FakeServer server([](const Heard& heard) { return FakeServer::result(heard, Json()); });
    auto connection = Connection::open(server.path());
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->call("any", Json(std::string(70'000, 'x'))).error().code, Errc::too_large);
    EXPECT_TRUE(connection->call("any"));
  }
}

TEST(CheckHome, ThroughLinksAndNothingElse) {
  char name[] = "/tmp/pv-home-XXXXXX";
  const std::string real = mkdtemp(name);
  const std::string link = real + "-link";
  ASSERT_EQ(symlink(real.c_str(), link.c_str()), 0);
  EXPECT_TRUE(check_home(Json::Object{{"home", real}}, real));
  EXPECT_TRUE(check_home(Json::Object{{"home", real}}, link));
  EXPECT_EQ(check_home(Json::Object{{"home", "/tmp"}}, real).error().code, Errc::wrong_home);
  EXPECT_EQ(check_home(Json(), real).error().code, Errc::wrong_home);
  unlink(link.c_str());
  rmdir(real.c_str());
}

}  // namespace
}  // namespace popvault::client
