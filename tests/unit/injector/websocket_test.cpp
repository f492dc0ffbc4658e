#include "injector/websocket.hpp"

#include <gtest/gtest.h>

#include "injector/http.hpp"

namespace popvault::injector {
namespace {

Bytes bytes(std::initializer_list<int> list) { return Bytes(list.begin(), list.end()); }

// RFC 6455 section 5.7.
TEST(FrameHead, ExamplesOfTheStandard) {
  FrameHead head;
  ASSERT_EQ(parse_frame_head(bytes({0x81, 0x05, 'H', 'e', 'l', 'l', 'o'}), head), Parse::done);
  EXPECT_TRUE(head.last && head.opcode == Opcode::text && head.size == 5 && head.head_size == 2);
  ASSERT_EQ(parse_frame_head(bytes({0x01, 0x03}), head), Parse::done);
  EXPECT_FALSE(head.last);
  ASSERT_EQ(parse_frame_head(bytes({0x82, 0x7e, 0x01, 0x00}), head), Parse::done);
  EXPECT_EQ(head.size, 256U);
  ASSERT_EQ(parse_frame_head(bytes({0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}), head), Parse::done);
  EXPECT_EQ(head.size, 65536U);
}

TEST(FrameHead, Refuses) {
  FrameHead head;
  EXPECT_EQ(parse_frame_head(bytes({0x81, 0x85, 1, 2, 3, 4}), head), Parse::malformed) << "masked by a server";
  EXPECT_EQ(parse_frame_head(bytes({0xc1, 0x00}), head), Parse::malformed) << "reserved bit";
  EXPECT_EQ(parse_frame_head(bytes({0x83, 0x00}), head), Parse::malformed) << "reserved opcode";
  EXPECT_EQ(parse_frame_head(bytes({0x89, 0x7e, 0, 200}), head), Parse::malformed) << "long ping";
  EXPECT_EQ(parse_frame_head(bytes({0x09, 0x00}), head), Parse::malformed) << "ping in pieces";
  EXPECT_EQ(parse_frame_head(bytes({0x81, 0x7e, 0, 5}), head), Parse::malformed) << "longer form than needed";
  EXPECT_EQ(parse_frame_head(bytes({0x81, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0}), head), Parse::malformed) << "huge";
  EXPECT_EQ(parse_frame_head(bytes({0x81, 0x7e, 0}), head), Parse::need_more);
}

// RFC 6455 section 5.7: "Hello", masked with 37 fa 21 3d.
TEST(FrameHead, WritesTheMaskedExample) {
  const std::array<std::uint8_t, 4> mask{0x37, 0xfa, 0x21, 0x3d};
  std::array<std::uint8_t, kMaxFrameHead> head{};
  const std::size_t size = write_frame_head(head, Opcode::text, 5, mask);
  Bytes frame(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size));
  Bytes payload = bytes({'H', 'e', 'l', 'l', 'o'});
  apply_mask(payload, mask);
  frame.insert(frame.end(), payload.begin(), payload.end());
  EXPECT_EQ(frame, bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}));
}

TEST(FrameHead, SizesOfAllThreeForms) {
  for (const std::uint64_t size : {0ULL, 125ULL, 126ULL, 65535ULL, 65536ULL, 1'000'000ULL}) {
    std::array<std::uint8_t, kMaxFrameHead> head{};
    const std::size_t n = write_frame_head(head, Opcode::text, size, {});
    EXPECT_EQ(n, size < 126 ? 6U : size <= 0xffff ? 8U : 14U);
    head[1] &= 0x7f;  // as a server would send it
    FrameHead read;
    ASSERT_EQ(parse_frame_head(head, read), Parse::done);
    EXPECT_EQ(read.size, size);
    EXPECT_EQ(read.head_size, n - 4);
  }
}

TEST(MessageReader, JoinsFragmentsAroundAPing) {
  const Bytes all = bytes({0x01, 3, 'H', 'e', 'l', 0x89, 1, '!', 0x80, 2, 'l', 'o', 0x81, 1, 'x', 0x81, 2, 'y'});
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    MessageReader reader;
    std::vector<std::string> got;
    for (const ByteView part : {ByteView(all).first(cut), ByteView(all).subspan(cut)}) {
      reader.feed(part);
      while (const auto message = reader.next()) got.push_back(*message);
    }
    EXPECT_EQ(got, (std::vector<std::string>{"Hello", "x"})) << cut;
    EXPECT_EQ(reader.take_ping(), bytes({'!'}));
    EXPECT_EQ(reader.take_ping(), std::nullopt);
    EXPECT_FALSE(reader.failed() || reader.closed());
  }
}

TEST(MessageReader, RefusesBrokenOrder) {
  for (const Bytes& wrong : {bytes({0x80, 0}), bytes({0x01, 0, 0x81, 0}), bytes({0x82, 0}), bytes({0x81, 0x80})}) {
    MessageReader reader;
    reader.feed(wrong);
    while (reader.next()) {
    }
    EXPECT_TRUE(reader.failed());
  }
  MessageReader reader;
  reader.feed(bytes({0x88, 0}));
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.closed());
}

TEST(Http, ReadsWhatChromiumSends) {
  const std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length:44\r\nContent-Type:application/json; charset=UTF-8\r\n\r\n{";
  HttpHead head;
  ASSERT_EQ(parse_http_head(as_bytes(text), head), Parse::done);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.content_length, 44U);
  EXPECT_EQ(head.size, text.size() - 1);
  for (std::size_t n = 0; n < head.size; ++n) {
    HttpHead part;
    EXPECT_EQ(parse_http_head(as_bytes(text.substr(0, n)), part), Parse::need_more) << n;
  }
  ASSERT_EQ(parse_http_head(as_bytes("HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\n\r\n"), head), Parse::done);
  EXPECT_TRUE(head.upgrades_to_websocket);
}

TEST(Http, Refuses) {
  HttpHead head;
  for (const char* wrong : {"HTTP/1.0 200 OK\r\n\r\n", "200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n\r\n"})
    EXPECT_EQ(parse_http_head(as_bytes(wrong), head), Parse::malformed) << wrong;
  EXPECT_EQ(parse_http_head(Bytes(kMaxHttpHead, 'a'), head), Parse::malformed);
}

TEST(Http, WebSocketPath) {
  EXPECT_EQ(websocket_path("ws://localhost:9222/devtools/browser/1-2"), "/devtools/browser/1-2");
  for (const char* wrong : {"", "http://a/devtools/browser/1", "ws://a", "ws://a/devtools/page/1", "ws://a/devtools/browser/1 HTTP/1.1\r\nX: y",
                            "ws://a/devtools/browser/\r\n"})
    EXPECT_EQ(websocket_path(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace popvault::injector
