// An Fs that makes one call go wrong, counted from 1 over all calls.
//
//   fail_at(n, error)   the n-th call does nothing and answers -error; later ones work again
//   shorten_at(n)       the n-th call, if it writes, writes half and says so
//   kill_at(n)          the n-th call and every later one do nothing: the process was killed there
//
// Several may share one plan (an Fs and SQLite's own I/O, memory_vfs.hpp): then n counts over the calls of all of them.
// Not thread-safe. Descriptors that a "killed" writer left open are closed by close_leftovers.
#pragma once

#include <cerrno>
#include <limits>
#include <set>

#include "os/fs.hpp"

namespace popvault::test {

// Which call goes wrong, and how.
class FaultPlan {
 public:
  void fail_at(std::size_t n, int error) { at_ = n, error_ = error, kind_ = Kind::error; }
  void shorten_at(std::size_t n) { at_ = n, kind_ = Kind::shorten; }
  void kill_at(std::size_t n) { at_ = n, error_ = EIO, kind_ = Kind::kill; }
  std::size_t calls() const { return calls_; }
  bool killed() const { return kind_ == Kind::kill && calls_ >= at_; }
  bool kills() const { return kind_ == Kind::kill; }
  // Of the call that next() has just counted: it writes half.
  bool shortens() const { return kind_ == Kind::shorten && calls_ == at_; }
  // Counts one call: 0, or -errno.
  int next() {
    ++calls_;
    const bool hit = kind_ == Kind::kill ? calls_ >= at_ : kind_ == Kind::error && calls_ == at_;
    return hit ? -error_ : 0;
  }

 private:
  enum class Kind { none, error, shorten, kill };
  std::size_t calls_ = 0;
  std::size_t at_ = std::numeric_limits<std::size_t>::max();
  int error_ = EIO;
  Kind kind_ = Kind::none;
};

class FaultyFs : public Fs {
 public:
  explicit FaultyFs(Fs& below) : below_(below), plan_(&own_) {}
  FaultyFs(Fs& below, FaultPlan& shared) : below_(below), plan_(&shared) {}
  ~FaultyFs() override { close_leftovers(); }
  FaultyFs(const FaultyFs&) = delete;

  void fail_at(std::size_t n, int error) { plan_->fail_at(n, error); }
  void shorten_at(std::size_t n) { plan_->shorten_at(n); }
  void kill_at(std::size_t n) { plan_->kill_at(n); }
  std::size_t calls() const { return plan_->calls(); }
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
    return below_.write(fd, plan_->shortens() ? data.first((data.size() + 1) / 2) : data);
  }
  int sync(int fd) override {
    if (const int error = next()) return error;
    return below_.sync(fd);
  }
  int close(int fd) override {
    if (const int error = next()) {
      // As in Linux: the descriptor is gone although close failed. A killed process closes nothing itself.
      if (!plan_->kills() && open_.erase(fd) != 0) (void)below_.close(fd);
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
  int next() { return plan_->next(); }

  Fs& below_;
  FaultPlan own_;
  FaultPlan* plan_;
  std::set<int> open_;
};

}  // namespace popvault::test
