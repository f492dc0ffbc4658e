#include "backup/file_stream.hpp"

#include <cerrno>

namespace popvault {

Status FileSink::write(ByteView data) {
  while (!data.empty()) {
    const ssize_t n = fs_.write(fd_, data);
    if (n == -EINTR) continue;
    // A write of nothing would loop for ever.
    if (n <= 0) return fail_errno(n < 0 ? static_cast<int>(-n) : EIO, "writing the backup");
    size_ += static_cast<std::uint64_t>(n);
    data = data.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::size_t> FileSource::read(std::span<std::uint8_t> into) {
  while (true) {
    const ssize_t n = fs_.read(fd_, into);
    if (n == -EINTR) continue;
    if (n < 0) return fail_errno(static_cast<int>(-n), "reading the backup");
    const auto got = static_cast<std::size_t>(n);
    size_ += got;
    hash_.update(into.first(got));
    return got;
  }
}

}  // namespace popvault
