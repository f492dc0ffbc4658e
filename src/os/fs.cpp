#include "os/fs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "os/file_handle.hpp"

namespace popvault {
namespace {

int answer(int status) noexcept { return status < 0 ? -errno : status; }

int flags_of(OpenFor purpose) noexcept {
  switch (purpose) {
    case OpenFor::reading: return O_RDONLY | O_NONBLOCK | O_NOFOLLOW;
    case OpenFor::following: return O_RDONLY | O_NONBLOCK;
    case OpenFor::creating: return O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    case OpenFor::directory: return O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  }
  return O_RDONLY | O_NOFOLLOW;
}

FileStat convert(const struct stat& st) noexcept {
  FileStat out;
  if (S_ISREG(st.st_mode)) out.type = FileType::regular;
  if (S_ISDIR(st.st_mode)) out.type = FileType::directory;
  if (S_ISLNK(st.st_mode)) out.type = FileType::symlink;
  out.owner = st.st_uid;
  out.mode = st.st_mode & 07777U;
  out.size = static_cast<std::uint64_t>(st.st_size);
  out.modified = st.st_mtim.tv_sec;
  return out;
}

class RealFs final : public Fs {
 public:
  int open(const std::string& path, OpenFor purpose) override {
    return answer(::open(path.c_str(), flags_of(purpose) | O_CLOEXEC | O_NOCTTY, 0600));
  }
  ssize_t read(int fd, std::span<std::uint8_t> out) override {
    const ssize_t n = ::read(fd, out.data(), out.size());
    return n < 0 ? -errno : n;
  }
  ssize_t write(int fd, ByteView data) override {
    const ssize_t n = ::write(fd, data.data(), data.size());
    return n < 0 ? -errno : n;
  }
  int sync(int fd) override { return answer(::fsync(fd)); }
  int close(int fd) override { return answer(::close(fd)); }
  int stat(int fd, FileStat& out) override {
    struct stat st {};
    const int status = answer(::fstat(fd, &st));
    if (status == 0) out = convert(st);
    return status;
  }
  int stat_path(const std::string& path, FileStat& out) override {
    struct stat st {};
    const int status = answer(::lstat(path.c_str(), &st));
    if (status == 0) out = convert(st);
    return status;
  }
  int rename(const std::string& from, const std::string& to) override {
    return answer(::rename(from.c_str(), to.c_str()));
  }
  int unlink(const std::string& path) override { return answer(::unlink(path.c_str())); }
  int mkdir(const std::string& path) override { return answer(::mkdir(path.c_str(), 0700)); }
  int rmdir(const std::string& path) override { return answer(::rmdir(path.c_str())); }
  int list(const std::string& path, std::vector<std::string>& names) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), &::closedir);
    if (!dir) return -errno;
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(dir.get());
      if (entry == nullptr) return -errno;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
  }
};

std::string named(const char* act, std::string_view path) {
  return std::string(act) + ' ' + std::string(last_component(path));
}

tl::unexpected<Error> insecure(std::string_view path, const char* why) {
  return fail(Errc::insecure_file, std::string(last_component(path)) + ' ' + why);
}

Status check_private(const FileStat& st, std::string_view path, FileType wanted) {
  if (st.type != wanted)
    return insecure(path, wanted == FileType::regular ? "is not a regular file" : "is not a directory");
  if (st.owner != ::geteuid()) return insecure(path, "belongs to another user");
  if ((st.mode & 077U) != 0) return insecure(path, "is open to group or others");
  return {};
}

Result<Bytes> read_whole(Fs& fs, int fd, const std::string& path, std::size_t max_size) {
  Bytes out;
  Bytes chunk(16 * 1024);
  for (;;) {
    const ssize_t n = fs.read(fd, chunk);
    if (n == -EINTR) continue;
    if (n < 0) return fail_errno(static_cast<int>(-n), named("reading", path));
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > max_size)
      return fail(Errc::vault_corrupt, std::string(last_component(path)) + " is too large");
    out.insert(out.end(), chunk.begin(), chunk.begin() + n);
  }
}

}  // namespace

Fs& real_fs() {
  static RealFs instance;
  return instance;
}

std::string_view last_component(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? path.substr(0, 1) : path.substr(0, slash));
}

Result<Bytes> read_owned(Fs& fs, const std::string& path, std::size_t max_size) {
  const FileHandle file(fs, fs.open(path, OpenFor::reading));
  if (file.error() == ENOENT) return fail(Errc::not_found, std::string(last_component(path)));
  if (file.error() == ELOOP) return insecure(path, "is a symbolic link");
  if (file.error() != 0) return fail_errno(file.error(), named("opening", path));
  FileStat st;
  const int status = fs.stat(file.fd(), st);
  if (status < 0) return fail_errno(-status, named("looking at", path));
  PV_TRY(check_private(st, path, FileType::regular));
  return read_whole(fs, file.fd(), path, max_size);
}

Result<Bytes> read_system_file(Fs& fs, const std::string& path, std::size_t max_size) {
  const FileHandle file(fs, fs.open(path, OpenFor::following));
  if (file.error() == ENOENT) return fail(Errc::not_found, std::string(last_component(path)));
  if (file.error() != 0) return fail_errno(file.error(), named("opening", path));
  return read_whole(fs, file.fd(), path, max_size);
}

Status ensure_private_dir(Fs& fs, const std::string& path) {
  FileStat st;
  int status = fs.stat_path(path, st);
  if (status == 0) return check_private(st, path, FileType::directory);
  if (status != -ENOENT) return fail_errno(-status, named("looking at", path));
  status = fs.mkdir(path);
  if (status < 0 && status != -EEXIST) return fail_errno(-status, named("making", path));
  PV_TRY(sync_dir(fs, parent_of(path)));
  status = fs.stat_path(path, st);
  if (status < 0) return fail_errno(-status, named("looking at", path));
  return check_private(st, path, FileType::directory);
}

Status make_parents(Fs& fs, const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != path.npos; at = path.find('/', at + 1)) {
    const std::string folder = path.substr(0, at);
    FileStat st;
    if (fs.stat_path(folder, st) == 0) continue;
    const int status = fs.mkdir(folder);
    if (status < 0 && status != -EEXIST) return fail_errno(-status, named("making", folder));
    PV_TRY(sync_dir(fs, parent_of(folder)));
  }
  return {};
}

Status sync_dir(Fs& fs, const std::string& path) {
  const FileHandle dir(fs, fs.open(path, OpenFor::directory));
  if (dir.error() != 0) return fail_errno(dir.error(), named("opening", path));
  int status = 0;
  do status = fs.sync(dir.fd());
  while (status == -EINTR);
  if (status < 0) return fail_errno(-status, named("syncing", path));
  return {};
}

Result<std::vector<std::string>> list_dir(Fs& fs, const std::string& path) {
  std::vector<std::string> names;
  const int status = fs.list(path, names);
  if (status == -ENOENT) return std::vector<std::string>{};
  if (status < 0) return fail_errno(-status, named("listing", path));
  return names;
}

}  // namespace popvault
