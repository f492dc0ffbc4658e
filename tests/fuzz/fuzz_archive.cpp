// An archive of anybody who has a key: what is read whole and written again is the same bytes.
#include <algorithm>
#include <cstdlib>

#include "backup/archive.hpp"

using namespace popvault;

namespace {

class Source final : public ByteSource {
 public:
  explicit Source(ByteView data) : left_(data) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    const std::size_t n = std::min({into.size(), left_.size(), std::size_t{1000}});
    std::copy_n(left_.begin(), n, into.begin());
    left_ = left_.subspan(n);
    return n;
  }

 private:
  ByteView left_;
};

class Sink final : public ByteSink {
 public:
  Status write(ByteView data) override {
    bytes.insert(bytes.end(), data.begin(), data.end());
    return {};
  }
  Bytes bytes;
};

void require(bool ok) {
  if (!ok) std::abort();
}

Status copy(TarReader& from, TarWriter& to) {
  while (true) {
    PV_ASSIGN(const auto entry, from.next());
    if (!entry) return {};
    require(to.begin(*entry).has_value());
    Bytes part(1500);
    while (true) {
      PV_ASSIGN(const std::size_t n, from.read(part));
      if (n == 0) break;
      require(to.write(ByteView(part).first(n)).has_value());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  Source source(input);
  TarReader reader(source);
  Sink sink;
  TarWriter writer(sink);
  const Status copied = copy(reader, writer);
  if (!copied) {
    require(copied.error().code == Errc::backup_invalid);
    return 0;
  }
  require(writer.finish().has_value());
  require(std::equal(sink.bytes.begin(), sink.bytes.end(), input.begin(), input.end()));
  return 0;
}
