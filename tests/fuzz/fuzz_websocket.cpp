// What a browser sends: HTTP heads, and WebSocket frames in pieces of any size. Whatever the pieces are, the messages
// must be the same.
#include <cstdlib>

#include "injector/http.hpp"
#include "injector/websocket.hpp"

namespace {

using namespace popvault;
using namespace popvault::injector;

struct Read {
  std::vector<std::string> messages;
  bool failed = false, closed = false;
  bool operator==(const Read&) const = default;
};

Read read_in_pieces(ByteView data, std::size_t piece) {
  MessageReader reader;
  Read out;
  while (!data.empty()) {
    const std::size_t size = std::min(piece, data.size());
    reader.feed(data.first(size));
    data = data.subspan(size);
    while (auto message = reader.next()) out.messages.push_back(std::move(*message));
    (void)reader.take_ping();
  }
  out.failed = reader.failed();
  out.closed = reader.closed();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView all{data, size};
  HttpHead head;
  if (parse_http_head(all, head) == Parse::done && head.size > size) std::abort();
  (void)websocket_path(as_text(all));
  if (size == 0) return 0;
  const std::size_t piece = 1U + data[0] % 32;
  if (!(read_in_pieces(all.subspan(1), piece) == read_in_pieces(all.subspan(1), size))) std::abort();
  return 0;
}
