#include "os/trusted_program.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace popvault {
namespace {

constexpr std::size_t kLongestPath = 1024;
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

bool ours(const struct stat& st) noexcept { return st.st_uid == 0 || st.st_uid == geteuid(); }

tl::unexpected<Error> unusable(int error, const std::string& part) {
  if (error == ENOENT) return fail(Errc::not_found, part);
  if (error == ELOOP || error == ENOTDIR) return fail(Errc::insecure_file, part + " is a symbolic link or no folder");
  return fail_errno(error, "opening " + part);
}

Status check_folder(int fd, const std::string& part) {
  struct stat st {};
  if (fstat(fd, &st) != 0) return fail_errno(errno, "looking at " + part);
  if (!ours(st)) return fail(Errc::insecure_file, part + " belongs to another user");
  if ((st.st_mode & kWritableByOthers) != 0 && (st.st_mode & S_ISVTX) == 0)
    return fail(Errc::insecure_file, part + " is writable by others");
  return {};
}

Status check_program(int fd, const std::string& path) {
  struct stat st {};
  if (fstat(fd, &st) != 0) return fail_errno(errno, "looking at " + path);
  if (!S_ISREG(st.st_mode)) return fail(Errc::insecure_file, path + " is no regular file");
  if (!ours(st)) return fail(Errc::insecure_file, path + " belongs to another user");
  if ((st.st_mode & kWritableByOthers) != 0) return fail(Errc::insecure_file, path + " is writable by others");
  if ((st.st_mode & S_IXUSR) == 0) return fail(Errc::insecure_file, path + " is not executable");
  return {};
}

Status check_own_folder(int fd, const std::string& path) {
  struct stat st {};
  if (fstat(fd, &st) != 0) return fail_errno(errno, "looking at " + path);
  if (st.st_uid != geteuid()) return fail(Errc::insecure_file, path + " belongs to another user");
  if ((st.st_mode & kWritableByOthers) != 0) return fail(Errc::insecure_file, path + " is writable by others");
  return {};
}

// The folder that the last part of a path stands in; `name` is that part.
Result<Descriptor> open_trusted_parent(const std::string& path, std::string& name) {
  Descriptor folder(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return unusable(errno, "/");
  PV_TRY(check_folder(folder.get(), "/"));
  std::size_t at = 1;
  for (std::size_t end = 0; (end = path.find('/', at)) != std::string::npos; at = end + 1) {
    const std::string part = path.substr(at, end - at);
    Descriptor next(openat(folder.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return unusable(errno, path.substr(0, end));
    PV_TRY(check_folder(next.get(), path.substr(0, end)));
    folder = std::move(next);
  }
  name = path.substr(at);
  return folder;
}

}  // namespace

bool plain_absolute_path(std::string_view path) noexcept {
  if (path.size() < 2 || path.size() > kLongestPath || path.front() != '/' || path.back() == '/') return false;
  if (std::any_of(path.begin(), path.end(), [](char c) { return c < 0x20 || c > 0x7e; })) return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    path.remove_prefix(part.size());
  }
  return true;
}

Result<Descriptor> open_trusted_program(const std::string& path) {
  if (!plain_absolute_path(path)) return fail(Errc::insecure_file, "a program is named by its whole path, without . and ..");
  std::string name;
  PV_ASSIGN(const Descriptor folder, open_trusted_parent(path, name));
  Descriptor file(openat(folder.get(), name.c_str(), O_PATH | O_NOFOLLOW));
  if (!file) return unusable(errno, path);
  PV_TRY(check_program(file.get(), path));
  return file;
}

Result<Descriptor> open_own_folder(const std::string& path) {
  if (!plain_absolute_path(path)) return fail(Errc::insecure_file, "a folder is named by its whole path, without . and ..");
  std::string name;
  PV_ASSIGN(const Descriptor parent, open_trusted_parent(path, name));
  Descriptor folder(openat(parent.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return unusable(errno, path);
  PV_TRY(check_own_folder(folder.get(), path));
  return folder;
}

}  // namespace popvault
