#include "cli/local_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/random.hpp"
#include "os/descriptor.hpp"
#include "os/fs.hpp"
#include "vault/vault_file.hpp"

namespace popvault::cli {
namespace {

Status write_and_sync(int fd, ByteView content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "writing " + path);
    content = content.subspan(static_cast<std::size_t>(n));
  }
  if (fsync(fd) != 0) return fail_errno(errno, "syncing " + path);
  return {};
}

}  // namespace

std::string mode_on_disk(const std::string& home) {
  const auto bytes = read_owned(real_fs(), home + "/.vault_mode", 64);
  if (!bytes) return {};
  std::string_view word = as_text(*bytes);
  if (word.ends_with('\n')) word.remove_suffix(1);
  const auto mode = vault_mode_of(word);
  return mode ? std::string(to_string(*mode)) : std::string();
}

Status write_new_file(const std::string& path, ByteView content) {
  if (access(path.c_str(), F_OK) == 0) return fail(Errc::already_exists, path);
  const std::string temporary = path + ".tmp-" + crypto::random_token(8);
  Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, "making " + path);
  Status written = write_and_sync(file.get(), content, path);
  // link, not rename: a file that appeared meanwhile is kept.
  if (written && link(temporary.c_str(), path.c_str()) != 0)
    written = errno == EEXIST ? Status(fail(Errc::already_exists, path))
                              : Status(fail_errno(errno, "making " + path));
  unlink(temporary.c_str());
  if (!written) return written;
  return sync_dir(real_fs(), parent_of(path));
}

Result<Bytes> read_named_file(const std::string& path, std::size_t limit) {
  auto bytes = read_system_file(real_fs(), path, limit);
  if (!bytes && bytes.error().code == Errc::not_found) return fail(Errc::not_found, path);
  return bytes;
}

}  // namespace popvault::cli
