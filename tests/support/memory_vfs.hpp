// SQLite's own I/O over a MemoryFs, as its default VFS for as long as this lives: the database stands beside the files
// that the vault writes through the seam, a FaultPlan counts the calls of both, and a power cut takes what neither had
// synced.
//
// A failed call answers SQLITE_FULL for ENOSPC and EDQUOT, else the call's SQLITE_IOERR. A shortened write leaves half of
// the page and says so as SQLite's file layer does, with SQLITE_FULL. As on Linux a file's sync makes its bytes durable,
// and for a new journal or log its name too. No shared memory and no locks: one connection. Not thread-safe.
#pragma once

#include <sqlite3.h>

#include <cstring>
#include <new>
#include <random>
#include <string>
#include <utility>

#include "support/faulty_fs.hpp"
#include "support/memory_fs.hpp"

namespace popvault::test {

class MemoryVfs {
 public:
  MemoryVfs(MemoryFs& files, FaultPlan& plan) : files_(&files), plan_(&plan) {
    vfs_.iVersion = 1;
    vfs_.szOsFile = sizeof(File);
    vfs_.mxPathname = 512;
    vfs_.zName = "popvault-memory";
    vfs_.pAppData = this;
    vfs_.xOpen = &open;
    vfs_.xDelete = &remove;
    vfs_.xAccess = &access;
    vfs_.xFullPathname = [](sqlite3_vfs*, const char* name, int size, char* out) {
      sqlite3_snprintf(size, out, "%s", name);
      return SQLITE_OK;
    };
    // Never twice the same: a log's salt tells its frames from those of the log before it.
    vfs_.xRandomness = [](sqlite3_vfs*, int size, char* out) {
      static std::mt19937 generator(7);
      std::generate_n(out, size, [] { return static_cast<char>(generator()); });
      return size;
    };
    vfs_.xSleep = [](sqlite3_vfs*, int) { return 0; };
    vfs_.xCurrentTime = [](sqlite3_vfs*, double* out) { return *out = 2461000.5, SQLITE_OK; };
    vfs_.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~MemoryVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(sqlite3_vfs_find("unix"), 1);
  }
  MemoryVfs(const MemoryVfs&) = delete;

 private:
  struct File {
    sqlite3_file base;  // first: SQLite sees no more of it
    MemoryVfs* vfs;
    std::shared_ptr<MemoryFs::Node> node;
    std::string path;
    bool names_unsynced;
  };
  static File& file(sqlite3_file* f) { return *reinterpret_cast<File*>(f); }
  static MemoryVfs& self(sqlite3_vfs* vfs) { return *static_cast<MemoryVfs*>(vfs->pAppData); }

  // Counts a call: SQLITE_OK, or what a failed one answers.
  int fault(int otherwise) {
    const int error = plan_->next();
    if (error == 0) return SQLITE_OK;
    return error == -ENOSPC || error == -EDQUOT ? SQLITE_FULL : otherwise;
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* out_flags) {
    out->pMethods = nullptr;
    MemoryVfs& me = self(vfs);
    if (const int error = me.fault(SQLITE_CANTOPEN)) return error;
    const std::string path = name == nullptr ? std::string() : name;
    const bool there = !path.empty() && me.files_->node(path, false) != nullptr;
    if (!there && !path.empty() && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    const bool journal = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    auto node = path.empty() ? std::make_shared<MemoryFs::Node>() : me.files_->node(path, true);
    new (out) File{{&methods()}, &me, std::move(node), path, journal && !there};
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_dir) {
    MemoryVfs& me = self(vfs);
    if (const int error = me.fault(SQLITE_IOERR_DELETE)) return error;
    if (me.files_->unlink(name) != 0) return SQLITE_IOERR_DELETE_NOENT;
    if (sync_dir != 0) me.files_->sync_names(parent_of(name));
    return SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    MemoryVfs& me = self(vfs);
    if (const int error = me.fault(SQLITE_IOERR_ACCESS)) return error;
    *out = me.files_->node(name, false) != nullptr;
    return SQLITE_OK;
  }

  static int read(sqlite3_file* f, void* out, int size, sqlite3_int64 at) {
    if (const int error = file(f).vfs->fault(SQLITE_IOERR_READ)) return error;
    const Bytes& bytes = file(f).node->bytes;
    const auto from = std::min(static_cast<std::size_t>(at), bytes.size());
    const auto count = std::min(static_cast<std::size_t>(size), bytes.size() - from);
    std::memset(out, 0, static_cast<std::size_t>(size));
    if (count > 0) std::memcpy(out, bytes.data() + from, count);
    return count == static_cast<std::size_t>(size) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* f, const void* data, int size, sqlite3_int64 at) {
    if (const int error = file(f).vfs->fault(SQLITE_IOERR_WRITE)) return error;
    const bool shorter = file(f).vfs->plan_->shortens();
    const auto count = static_cast<std::size_t>(shorter ? size / 2 : size);
    Bytes& bytes = file(f).node->bytes;
    const auto from = static_cast<std::size_t>(at);
    if (bytes.size() < from + count) bytes.resize(from + count);
    std::memcpy(bytes.data() + from, data, count);
    return shorter ? SQLITE_FULL : SQLITE_OK;
  }
  static int truncate(sqlite3_file* f, sqlite3_int64 size) {
    if (const int error = file(f).vfs->fault(SQLITE_IOERR_TRUNCATE)) return error;
    file(f).node->bytes.resize(static_cast<std::size_t>(size));
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* f, int) {
    if (const int error = file(f).vfs->fault(SQLITE_IOERR_FSYNC)) return error;
    file(f).node->durable = file(f).node->bytes;
    if (std::exchange(file(f).names_unsynced, false)) file(f).vfs->files_->sync_names(parent_of(file(f).path));
    return SQLITE_OK;
  }
  static int size(sqlite3_file* f, sqlite3_int64* out) {
    if (const int error = file(f).vfs->fault(SQLITE_IOERR_FSTAT)) return error;
    *out = static_cast<sqlite3_int64>(file(f).node->bytes.size());
    return SQLITE_OK;
  }

  static const sqlite3_io_methods& methods() {
    static const sqlite3_io_methods kMethods = [] {
      sqlite3_io_methods m{};
      m.iVersion = 1;
      m.xClose = [](sqlite3_file* f) { return file(f).~File(), SQLITE_OK; };
      m.xRead = &read;
      m.xWrite = &write;
      m.xTruncate = &truncate;
      m.xSync = &sync;
      m.xFileSize = &size;
      m.xLock = [](sqlite3_file*, int) { return SQLITE_OK; };
      m.xUnlock = [](sqlite3_file*, int) { return SQLITE_OK; };
      m.xCheckReservedLock = [](sqlite3_file*, int* out) { return *out = 0, SQLITE_OK; };
      m.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
      m.xSectorSize = [](sqlite3_file*) { return 4096; };
      m.xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; };
      return m;
    }();
    return kMethods;
  }

  sqlite3_vfs vfs_{};
  MemoryFs* files_;
  FaultPlan* plan_;
};

}  // namespace popvault::test
