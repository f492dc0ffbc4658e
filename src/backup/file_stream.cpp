#include "backup/file_stream.hpp"

#include <unistd.h>

#include <cerrno>

namespace popvault {

Status FileSink::write(ByteView data) {
  while (!data.empty()) {
    const ssize_t n = fs_.write(fd_, data);
    if (n == -EINTR) continue;
    // A write of nothing would loop for ever.
    if (n <= 0) return fail_errno(n < 0 ? static_cast<int>(-n) : EIO, "writing the file");
    size_ += static_cast<std::uint64_t>(n);
    data = data.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::size_t> FileSource::read(std::span<std::uint8_t> into) {
  while (true) {
    const ssize_t n = fs_.read(fd_, into);
    if (n == -EINTR) continue;
    if (n < 0) return fail_errno(static_cast<int>(-n), "reading the file");
    const auto got = static_cast<std::size_t>(n);
    size_ += got;
    hash_.update(into.first(got));
    return got;
  }
}

Status copy_whole(Fs& fs, int from, int to) {
  constexpr std::size_t kPiece = 256 * 1024;
  if (lseek(from, 0, SEEK_SET) != 0) return fail(Errc::io_error, "reading what was made");
  FileSource source(fs, from);
  FileSink sink(fs, to);
  Bytes piece(kPiece);
  while (true) {
    PV_ASSIGN(const std::size_t n, source.read(piece));
    if (n == 0) return {};
    PV_TRY(sink.write(ByteView(piece).first(n)));
  }
}

}  // namespace popvault
