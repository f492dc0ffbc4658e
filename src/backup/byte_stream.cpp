#include "backup/byte_stream.hpp"

#include <algorithm>

namespace popvault {
namespace {

constexpr std::size_t kBuffer = 4096;

}  // namespace

Result<std::size_t> read_full(ByteSource& from, std::span<std::uint8_t> into) {
  std::size_t size = 0;
  while (size < into.size()) {
    PV_ASSIGN(const std::size_t n, from.read(into.subspan(size)));
    if (n == 0) break;
    size += n;
  }
  return size;
}

Result<std::string> TextSource::line(std::size_t limit) {
  std::string out;
  while (true) {
    if (at_ == buffer_.size()) {
      buffer_.resize(kBuffer);
      at_ = 0;
      const auto n = from_.read(buffer_);
      buffer_.resize(n.value_or(0));
      if (!n) return tl::unexpected(n.error());
      if (*n == 0) return fail(Errc::backup_invalid, "it is cut");
    }
    const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(at_);
    const auto end = std::find(begin, buffer_.end(), '\n');
    out.append(begin, end);
    if (out.size() > limit) return fail(Errc::backup_invalid, "a line of its head is too long");
    at_ = static_cast<std::size_t>(end - buffer_.begin());
    if (end == buffer_.end()) continue;
    ++at_;
    return out;
  }
}

Result<std::size_t> TextSource::read(std::span<std::uint8_t> into) {
  if (at_ == buffer_.size()) return from_.read(into);
  const std::size_t size = std::min(into.size(), buffer_.size() - at_);
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), size, into.begin());
  at_ += size;
  return size;
}

}  // namespace popvault
