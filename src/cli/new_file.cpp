#include "cli/new_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/display.hpp"
#include "crypto/random.hpp"
#include "os/fs.hpp"

namespace popvault::cli {
namespace {

// 0 or errno. A file system that knows no RENAME_NOREPLACE has hard links.
int rename_if_free(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  unlink(from.c_str());
  return 0;
}

}  // namespace

Status check_free(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) == 0) return fail(Errc::already_exists, escape_for_terminal(path));
  return {};
}

Result<NewFile> NewFile::create(const std::string& path) {
  PV_TRY(check_free(path));
  std::string temporary = path + ".tmp-" + crypto::random_token(8);
  Descriptor file(open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, "making " + escape_for_terminal(path));
  return NewFile(path, std::move(temporary), std::move(file));
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)) {}

NewFile::~NewFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Status NewFile::keep() {
  const std::string shown = escape_for_terminal(path_);
  if (fsync(file_.get()) != 0) return fail_errno(errno, "syncing " + shown);
  const int error = rename_if_free(temporary_, path_);
  if (error == EEXIST) return fail(Errc::already_exists, shown);
  if (error != 0) return fail_errno(error, "making " + shown);
  temporary_.clear();
  return sync_dir(real_fs(), parent_of(path_));
}

}  // namespace popvault::cli
