// One descriptor of an Fs, closed when it goes. Made from what Fs::open answered: a descriptor or -errno.
#pragma once

#include "os/fs.hpp"

namespace popvault {

class FileHandle {
 public:
  FileHandle(Fs& fs, int answer) noexcept : fs_(fs), fd_(answer) {}
  ~FileHandle() {
    if (fd_ >= 0) (void)fs_.close(fd_);
  }
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;

  int fd() const noexcept { return fd_; }
  // 0 while open.
  int error() const noexcept { return fd_ < 0 ? -fd_ : 0; }
  // Close now and say how it went: 0 or -errno. The descriptor is gone in both cases.
  int close_now() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fs_.close(fd);
  }

 private:
  Fs& fs_;
  int fd_;
};

}  // namespace popvault
