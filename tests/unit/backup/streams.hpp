// Sinks and sources in memory, and the programs age, age-keygen and tar.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "backup/byte_stream.hpp"

namespace popvault::test {

class MemorySink final : public ByteSink {
 public:
  Status write(ByteView data) override {
    bytes.insert(bytes.end(), data.begin(), data.end());
    return {};
  }
  Bytes bytes;
};

// Gives at most `piece` bytes at a time.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(ByteView data, std::size_t piece = static_cast<std::size_t>(-1))
      : left_(data), piece_(piece) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    const std::size_t n = std::min({into.size(), left_.size(), piece_});
    std::copy_n(left_.begin(), n, into.begin());
    left_ = left_.subspan(n);
    return n;
  }

 private:
  ByteView left_;
  std::size_t piece_;
};

inline Result<Bytes> read_all(ByteSource& from) {
  Bytes out;
  Bytes part(10'000);
  while (true) {
    PV_ASSIGN(const std::size_t n, from.read(part));
    if (n == 0) return out;
    out.insert(out.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(n));
  }
}

inline Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}
inline void write_file(const std::string& path, ByteView data) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/popvault-backup-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  // The exit status of a shell command with this as its working folder.
  int run(const std::string& command) const {
    const int status = std::system(("cd " + path + " && { " + command + "; } 2>>errors").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string file(const std::string& name) const { return path + "/" + name; }
  Bytes read(const std::string& name) const { return read_file(file(name)); }
  void write(const std::string& name, ByteView data) const { write_file(file(name), data); }
  std::string path;
};

}  // namespace popvault::test
