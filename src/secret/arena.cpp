#include "secret/arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447  // linux/include/uapi/asm-generic/unistd.h
#endif

namespace popvault {
namespace {

constexpr std::size_t kGrain = 64;
constexpr std::size_t kRegion = 256 * 1024;

std::atomic<bool> g_force_locked{false};
std::atomic<SecretMemory> g_kind{SecretMemory::none};

struct Region {
  std::uint8_t* base;
  std::size_t size;
  std::vector<bool> used;  // one flag per grain

  std::size_t find(std::size_t grains) const {
    std::size_t run = 0;
    for (std::size_t i = 0; i < used.size(); ++i) {
      run = used[i] ? 0 : run + 1;
      if (run == grains) return i + 1 - grains;
    }
    return used.size();
  }
};

class Arena {
 public:
  void* allocate(std::size_t size) {
    const std::size_t grains = std::max<std::size_t>(1, (size + kGrain - 1) / kGrain);
    const std::lock_guard lock(mutex_);
    for (Region& region : regions_) {
      if (void* block = take(region, grains)) return block;
    }
    regions_.push_back(map(std::max(kRegion, grains * kGrain)));
    return take(regions_.back(), grains);
  }

  void release(void* block, std::size_t size) noexcept {
    wipe(block, size);
    const std::size_t grains = std::max<std::size_t>(1, (size + kGrain - 1) / kGrain);
    auto* const at = static_cast<std::uint8_t*>(block);
    const std::lock_guard lock(mutex_);
    for (Region& region : regions_) {
      if (at < region.base || at >= region.base + region.size) continue;
      const std::size_t first = static_cast<std::size_t>(at - region.base) / kGrain;
      std::fill_n(region.used.begin() + static_cast<std::ptrdiff_t>(first), grains, false);
      return;
    }
    std::abort();
  }

 private:
  static void* take(Region& region, std::size_t grains) {
    const std::size_t first = region.find(grains);
    if (first == region.used.size()) return nullptr;
    std::fill_n(region.used.begin() + static_cast<std::ptrdiff_t>(first), grains, true);
    void* const block = region.base + first * kGrain;
    std::memset(block, 0, grains * kGrain);
    return block;
  }

  static Region map(std::size_t wanted) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t size = (wanted + page - 1) / page * page;
    SecretMemory kind = SecretMemory::memfd_secret;
    void* base = MAP_FAILED;
    if (!g_force_locked) {
      const int fd = open_secret_memory(size);
      if (fd >= 0) {
        base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        // Root can duplicate the descriptor of a live process; the mapping it cannot read.
        close(fd);
      }
    }
    if (base == MAP_FAILED) {
      base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (base == MAP_FAILED) std::abort();
      kind = mlock(base, size) == 0 ? SecretMemory::locked_pages : SecretMemory::plain_pages;
      madvise(base, size, MADV_DONTDUMP);
    }
    madvise(base, size, MADV_DONTFORK);
    if (kind > g_kind.load()) g_kind = kind;
    return {static_cast<std::uint8_t*>(base), size, std::vector<bool>(size / kGrain, false)};
  }

  std::mutex mutex_;
  std::vector<Region> regions_;
};

// Never destroyed: static objects may hold secrets until exit.
Arena& arena() {
  static Arena* const instance = new Arena;
  return *instance;
}

}  // namespace

std::string_view to_string(SecretMemory kind) noexcept {
  switch (kind) {
    case SecretMemory::none: return "none";
    case SecretMemory::memfd_secret: return "memfd_secret";
    case SecretMemory::locked_pages: return "locked_pages";
    case SecretMemory::plain_pages: return "plain_pages";
  }
  return "none";
}

SecretMemory secret_memory_kind() noexcept { return g_kind; }
void force_locked_pages() noexcept { g_force_locked = true; }
void* secret_allocate(std::size_t size) { return arena().allocate(size); }
void secret_free(void* block, std::size_t size) noexcept { arena().release(block, size); }

void wipe(void* data, std::size_t size) noexcept {
  // An empty span may have no address.
  if (size != 0) explicit_bzero(data, size);
}

int open_secret_memory(std::size_t size) noexcept {
  if (g_force_locked) return -1;
  const int fd = static_cast<int>(syscall(SYS_memfd_secret, static_cast<unsigned>(O_CLOEXEC)));
  if (fd < 0) return -1;
  if (ftruncate(fd, static_cast<off_t>(size)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

}  // namespace popvault
