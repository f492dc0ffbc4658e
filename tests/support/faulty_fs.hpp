// An Fs that makes one call go wrong, counted from 1 over all calls.
//
//   fail_at(n, error)   the n-th call does nothing and answers -error; later ones work again
//   shorten_at(n)       the n-th call, if it writes, writes half and says so
//   kill_at(n)          the n-th call and every later one do nothing: the process was killed there
//
// Not thread-safe. Descriptors that a "killed" writer left open are closed by close_leftovers.
#pragma once

#include <cerrno>
#include <limits>
#include <set>

#include "os/fs.hpp"

namespace popvault::test {

class FaultyFs final : public Fs {
 public:
  explicit FaultyFs(Fs& below) : below_(below) {}
  ~FaultyFs() override { close_leftovers(); }

  void fail_at(std::size_t n, int error) { at_ = n, error_ = error, kind_ = Kind::error; }
  void shorten_at(std::size_t n) { at_ = n, kind_ = Kind::shorten; }
  void kill_at(std::size_t n) { at_ = n, error_ = EIO, kind_ = Kind::kill; }
  std::size_t calls() const { return calls_; }
  void close_leftovers() {
    for (const int fd : open_) (void)below_.close(fd);
    open_.clear();
  }

  int open(const std::string& path, OpenFor purpose) override {
    if (const int error = next()) return error;
    const int fd = below_.open(path, purpose);
    if (fd >= 0) open_.insert(fd);
    return fd;
  }
  ssize_t read(int fd, std::span<std::uint8_t> out) override {
    if (const int error = next()) return error;
    return below_.read(fd, out);
  }
  ssize_t write(int fd, ByteView data) override {
    if (const int error = next()) return error;
    const bool shorter = kind_ == Kind::shorten && calls_ == at_;
    return below_.write(fd, shorter ? data.first((data.size() + 1) / 2) : data);
  }
  int sync(int fd) override {
    if (const int error = next()) return error;
    return below_.sync(fd);
  }
  int close(int fd) override {
    if (const int error = next()) {
      // As in Linux: the descriptor is gone although close failed. A killed process closes nothing itself.
      if (kind_ != Kind::kill && open_.erase(fd) != 0) (void)below_.close(fd);
      return error;
    }
    open_.erase(fd);
    return below_.close(fd);
  }
  int stat(int fd, FileStat& out) override {
    if (const int error = next()) return error;
    return below_.stat(fd, out);
  }
  int stat_path(const std::string& path, FileStat& out) override {
    if (const int error = next()) return error;
    return below_.stat_path(path, out);
  }
  int rename(const std::string& from, const std::string& to) override {
    if (const int error = next()) return error;
    return below_.rename(from, to);
  }
  int unlink(const std::string& path) override {
    if (const int error = next()) return error;
    return below_.unlink(path);
  }
  int mkdir(const std::string& path) override {
    if (const int error = next()) return error;
    return below_.mkdir(path);
  }
  int rmdir(const std::string& path) override {
    if (const int error = next()) return error;
    return below_.rmdir(path);
  }
  int list(const std::string& path, std::vector<std::string>& names) override {
    if (const int error = next()) return error;
    return below_.list(path, names);
  }

 private:
  enum class Kind { none, error, shorten, kill };
  int next() {
    ++calls_;
    const bool hit = kind_ == Kind::kill ? calls_ >= at_ : kind_ == Kind::error && calls_ == at_;
    return hit ? -error_ : 0;
  }

  Fs& below_;
  std::size_t calls_ = 0;
  std::size_t at_ = std::numeric_limits<std::size_t>::max();
  int error_ = EIO;
  Kind kind_ = Kind::none;
  std::set<int> open_;
};

}  // namespace popvault::test
