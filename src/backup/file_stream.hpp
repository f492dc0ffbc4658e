// A file of the Fs seam as a sink or a source, from its present offset on. The descriptor stays the caller's.
// What passes is encrypted: the bytes of an age file, and no plaintext.
#pragma once

#include "backup/byte_stream.hpp"
#include "crypto/digest.hpp"
#include "os/fs.hpp"

namespace popvault {

// Fails with io_error or disk_full.
class FileSink final : public ByteSink {
 public:
  FileSink(Fs& fs, int fd) noexcept : fs_(fs), fd_(fd) {}
  Status write(ByteView data) override;
  std::uint64_t size() const noexcept { return size_; }

 private:
  Fs& fs_;
  int fd_;
  std::uint64_t size_ = 0;
};

class FileSource final : public ByteSource {
 public:
  FileSource(Fs& fs, int fd) noexcept : fs_(fs), fd_(fd) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override;
  std::uint64_t size() const noexcept { return size_; }
  // SHA-256 of what was read.
  crypto::Digest digest() const { return hash_.so_far(); }

 private:
  Fs& fs_;
  int fd_;
  std::uint64_t size_ = 0;
  crypto::Sha256 hash_;
};

// The whole of a file to another's present offset. Fails with io_error or disk_full.
Status copy_whole(Fs& fs, int from, int to);

}  // namespace popvault
