// Messages that end with a zero byte, in pieces of any size: whatever the pieces are, the messages must be the same.
#include <cstdlib>
#include <vector>

#include "injector/zero_ended.hpp"

namespace {

using namespace popvault;

std::vector<std::string> read_in_pieces(ByteView data, std::size_t piece) {
  injector::ZeroEndedReader reader;
  std::vector<std::string> out;
  while (!data.empty()) {
    const std::size_t size = std::min(piece, data.size());
    reader.feed(data.first(size));
    data = data.subspan(size);
    while (auto message = reader.next()) out.push_back(std::move(*message));
  }
  if (reader.failed()) out.emplace_back();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView all = ByteView{data, size}.subspan(1);
  if (read_in_pieces(all, 1U + data[0] % 32) != read_in_pieces(all, size)) std::abort();
  return 0;
}
