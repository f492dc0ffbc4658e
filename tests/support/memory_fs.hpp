// A file system in memory that knows what has reached the disk, for power cuts.
//
// A file's bytes are durable up to its last sync; a directory's entries up to the directory's last sync. What
// was not synced may or may not survive, so a cut has several outcomes; each one that a journalling file
// system was seen to give is a PowerCut here. Modes and owners are always right. Not thread-safe.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <set>

#include "os/fs.hpp"

namespace popvault::test {

enum class PowerCut {
  everything_unsynced_lost,
  names_kept_data_lost,  // the rename went into the journal before the file's data was written
  nothing_lost,
};
constexpr PowerCut kPowerCuts[] = {PowerCut::everything_unsynced_lost, PowerCut::names_kept_data_lost,
                                   PowerCut::nothing_lost};

class MemoryFs final : public Fs {
 public:
  struct Node {
    Bytes bytes, durable;
  };
  // For another way to the same files (memory_vfs.hpp). Null when there is no such file and none is to be made.
  std::shared_ptr<Node> node(const std::string& path, bool make) {
    const auto found = files_.find(path);
    if (found != files_.end()) return found->second;
    return make ? files_[path] = std::make_shared<Node>() : nullptr;
  }
  // The directory's entries are durable.
  void sync_names(const std::string& dir) {
    std::erase_if(durable_files_, [&](const auto& entry) { return parent_of(entry.first) == dir; });
    for (const auto& entry : files_)
      if (parent_of(entry.first) == dir) durable_files_.insert(entry);
    for (const std::string& child : dirs_)
      if (parent_of(child) == dir) durable_dirs_.insert(child);
  }

  MemoryFs() { dirs_.insert("/home"), durable_dirs_.insert("/home"); }

  // The state after the machine came up again; open descriptors are gone.
  MemoryFs after(PowerCut cut) const {
    MemoryFs out;
    const bool names = cut != PowerCut::everything_unsynced_lost;
    out.dirs_ = names ? dirs_ : durable_dirs_;
    for (const auto& [path, node] : names ? files_ : durable_files_) {
      auto copy = std::make_shared<Node>(*node);
      if (cut != PowerCut::nothing_lost) copy->bytes = copy->durable;
      copy->durable = copy->bytes;
      out.files_[path] = copy;
    }
    out.durable_files_ = out.files_;
    out.durable_dirs_ = out.dirs_;
    return out;
  }

  int open(const std::string& path, OpenFor purpose) override {
    Handle handle{nullptr, path, 0};
    const auto found = files_.find(path);
    if (purpose == OpenFor::directory) {
      if (dirs_.count(path) == 0) return -ENOENT;
    } else if (purpose == OpenFor::creating) {
      if (found != files_.end()) return -EEXIST;
      handle.node = files_[path] = std::make_shared<Node>();
    } else {
      if (found == files_.end()) return -ENOENT;
      handle.node = found->second;
    }
    handles_[++last_fd_] = handle;
    return last_fd_;
  }
  ssize_t read(int fd, std::span<std::uint8_t> out) override {
    Handle& h = handles_.at(fd);
    const std::size_t n = std::min(out.size(), h.node->bytes.size() - h.at);
    std::copy_n(h.node->bytes.begin() + static_cast<std::ptrdiff_t>(h.at), n, out.begin());
    h.at += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(int fd, ByteView data) override {
    Bytes& bytes = handles_.at(fd).node->bytes;
    bytes.insert(bytes.end(), data.begin(), data.end());
    return static_cast<ssize_t>(data.size());
  }
  int sync(int fd) override {
    const Handle& h = handles_.at(fd);
    if (h.node) {
      h.node->durable = h.node->bytes;
    } else {
      sync_names(h.path);
    }
    return 0;
  }
  int close(int fd) override { return handles_.erase(fd) == 1 ? 0 : -EBADF; }
  int stat(int fd, FileStat& out) override { return stat_path(handles_.at(fd).path, out); }
  int stat_path(const std::string& path, FileStat& out) override {
    out.owner = ::geteuid();
    if (dirs_.count(path) != 0) {
      out.type = FileType::directory;
      out.mode = 0700;
      return 0;
    }
    const auto found = files_.find(path);
    if (found == files_.end()) return -ENOENT;
    out.type = FileType::regular;
    out.mode = 0600;
    out.size = found->second->bytes.size();
    return 0;
  }
  int rename(const std::string& from, const std::string& to) override {
    const auto found = files_.find(from);
    if (found == files_.end()) return -ENOENT;
    files_[to] = found->second;
    files_.erase(from);
    return 0;
  }
  int unlink(const std::string& path) override { return files_.erase(path) == 1 ? 0 : -ENOENT; }
  int mkdir(const std::string& path) override { return dirs_.insert(path).second ? 0 : -EEXIST; }
  int rmdir(const std::string& path) override { return dirs_.erase(path) == 1 ? 0 : -ENOENT; }
  int list(const std::string& path, std::vector<std::string>& names) override {
    if (dirs_.count(path) == 0) return -ENOENT;
    for (const auto& entry : files_)
      if (parent_of(entry.first) == path) names.emplace_back(last_component(entry.first));
    for (const std::string& dir : dirs_)
      if (dir != path && parent_of(dir) == path) names.emplace_back(last_component(dir));
    return 0;
  }

 private:
  struct Handle {
    std::shared_ptr<Node> node;
    std::string path;
    std::size_t at;
  };
  using Files = std::map<std::string, std::shared_ptr<Node>>;

  Files files_, durable_files_;
  std::set<std::string> dirs_, durable_dirs_;
  std::map<int, Handle> handles_;
  int last_fd_ = 100;
};

}  // namespace popvault::test
