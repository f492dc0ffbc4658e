#include "os/atomic_file.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "os/file_handle.hpp"

namespace popvault {
namespace {

constexpr std::string_view kMark = ".tmp-";

// Not a secret, only unlikely to be taken; a taken one is refused by O_EXCL.
std::string random_suffix() {
  std::array<std::uint8_t, 8> raw{};
  if (getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) std::abort();
  return to_hex(raw);
}

bool is_temporary(std::string_view name) {
  return name.size() > 1 && name.front() == '.' && name.find(kMark) != std::string_view::npos;
}

tl::unexpected<Error> failed(int error, const char* act, std::string_view path) {
  return fail_errno(error, std::string(act) + ' ' + std::string(last_component(path)));
}

int sync_retrying(Fs& fs, int fd) {
  for (;;) {
    const int status = fs.sync(fd);
    if (status != -EINTR) return status;
  }
}

Status write_all(Fs& fs, int fd, ByteView data, std::string_view target) {
  while (!data.empty()) {
    const ssize_t n = fs.write(fd, data);
    if (n == -EINTR) continue;
    if (n < 0) return failed(static_cast<int>(-n), "writing", target);
    // A write of nothing would loop for ever.
    if (n == 0) return failed(EIO, "writing", target);
    data = data.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Status write_temporary(Fs& fs, const std::string& temporary, ByteView content, std::string_view target) {
  FileHandle file(fs, fs.open(temporary, OpenFor::creating));
  if (file.error() != 0) return failed(file.error(), "making a temporary beside", target);
  PV_TRY(write_all(fs, file.fd(), content, target));
  if (const int status = sync_retrying(fs, file.fd()); status < 0) return failed(-status, "syncing", target);
  if (const int status = file.close_now(); status < 0 && status != -EINTR)
    return failed(-status, "closing", target);
  return {};
}

Status check_temporary(Fs& fs, const std::string& temporary, ByteView content, const ReadBack& verify,
                       std::string_view target) {
  PV_ASSIGN(const Bytes back, read_owned(fs, temporary, content.size()));
  if (!std::equal(back.begin(), back.end(), content.begin(), content.end()))
    return failed(EIO, "reading back", target);
  if (verify) PV_TRY(verify(back));
  return {};
}

// After the rename: the content was checked under its other name, so its kind and size are enough.
Status check_in_place(Fs& fs, const std::string& path, std::size_t size) {
  FileStat st;
  const int status = fs.stat_path(path, st);
  if (status < 0) return failed(-status, "looking at", path);
  if (st.type != FileType::regular || st.size != size) return failed(EIO, "replacing", path);
  return {};
}

Status prepare(Fs& fs, const std::string& temporary, const std::string& path, ByteView content,
               const ReadBack& verify) {
  PV_TRY(write_temporary(fs, temporary, content, path));
  PV_TRY(check_temporary(fs, temporary, content, verify, path));
  if (const int status = fs.rename(temporary, path); status < 0) return failed(-status, "replacing", path);
  return {};
}

}  // namespace

Status write_atomic(Fs& fs, const std::string& path, ByteView content, const ReadBack& verify) {
  const std::string dir = parent_of(path);
  const std::string temporary =
      dir + "/." + std::string(last_component(path)) + std::string(kMark) + random_suffix();
  if (Status prepared = prepare(fs, temporary, path, content, verify); !prepared) {
    // Gone already when the rename was done and reported as failed; nothing more can be done about an error.
    (void)fs.unlink(temporary);
    return prepared;
  }
  // From here on the new content is in place, whatever still fails.
  Status settled = sync_dir(fs, dir);
  if (settled) settled = check_in_place(fs, path, content.size());
  if (settled) return {};
  return fail(settled.error().code,
              std::string(last_component(path)) +
                  " is written, but may not survive a power cut: " + settled.error().detail);
}

Result<std::size_t> wipe_stale_temporaries(Fs& fs, const std::string& dir) {
  PV_ASSIGN(const std::vector<std::string> names, list_dir(fs, dir));
  std::size_t removed = 0;
  for (const std::string& name : names) {
    if (!is_temporary(name)) continue;
    const int status = fs.unlink(dir + '/' + name);
    if (status < 0 && status != -ENOENT) return failed(-status, "removing", name);
    ++removed;
  }
  if (removed > 0) PV_TRY(sync_dir(fs, dir));
  return removed;
}

Status remove_file(Fs& fs, const std::string& path) {
  const int status = fs.unlink(path);
  if (status == -ENOENT) return {};
  if (status < 0) return failed(-status, "removing", path);
  return sync_dir(fs, parent_of(path));
}

}  // namespace popvault
