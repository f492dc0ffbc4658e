// The file seam: every file of the vault is read and written through an Fs, so that a test can make any call
// fail.
//
// The primitive calls answer as the kernel does: a value, or -errno. They are called with absolute paths of
// the vault's home; the last component is never followed when it is a symbolic link. What is built on them is
// below and in atomic_file.hpp. Any thread may call real_fs().
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace popvault {

enum class FileType : std::uint8_t { regular, directory, symlink, other };

struct FileStat {
  FileType type = FileType::other;
  uid_t owner = 0;
  unsigned mode = 0;  // permission bits (07777)
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // seconds since 1970
};

enum class OpenFor : std::uint8_t {
  reading,    // an existing file
  following,  // the same, through symbolic links: files of the system only
  creating,   // a new file, 0600, for writing; an existing one is EEXIST
  directory,  // an existing directory, for sync and stat
};

class Fs {
 public:
  virtual ~Fs() = default;
  // Descriptors are close-on-exec and never block in open (a fifo); a final symlink is ELOOP.
  virtual int open(const std::string& path, OpenFor purpose) = 0;
  virtual ssize_t read(int fd, std::span<std::uint8_t> out) = 0;
  virtual ssize_t write(int fd, ByteView data) = 0;
  virtual int sync(int fd) = 0;
  virtual int close(int fd) = 0;
  virtual int stat(int fd, FileStat& out) = 0;
  // Of the path itself, without following.
  virtual int stat_path(const std::string& path, FileStat& out) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int unlink(const std::string& path) = 0;
  // 0700.
  virtual int mkdir(const std::string& path) = 0;
  // An empty directory.
  virtual int rmdir(const std::string& path) = 0;
  // Names without "." and "..", in no order.
  virtual int list(const std::string& path, std::vector<std::string>& names) = 0;
};

Fs& real_fs();

// "vault.enc" of "/home/x/vault.enc": what an error may name.
std::string_view last_component(std::string_view path) noexcept;
// "/home/x" of "/home/x/vault.enc"; "." when there is no slash.
std::string parent_of(std::string_view path);

// A whole file of ours. Refuses symbolic links, anything but a regular file, another owner and any mode bit
// of group or others (insecure_file); absent: not_found; over max_size: vault_corrupt. Details name the
// file's last component only.
Result<Bytes> read_owned(Fs& fs, const std::string& path, std::size_t max_size);
// The same for a file of the system (/etc/machine-id): any owner, mode and link.
Result<Bytes> read_system_file(Fs& fs, const std::string& path, std::size_t max_size);
// A directory of ours, 0700: made when absent (the parent must exist), else checked (insecure_file).
Status ensure_private_dir(Fs& fs, const std::string& path);
// The folders above `path`, 0700 where they are made.
Status make_parents(Fs& fs, const std::string& path);
// What was made, renamed or removed in a directory is on disk when this returns.
Status sync_dir(Fs& fs, const std::string& path);
// The entries of a directory; absent: empty.
Result<std::vector<std::string>> list_dir(Fs& fs, const std::string& path);

}  // namespace popvault
