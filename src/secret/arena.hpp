// Memory for secrets.
//
// Blocks come from regions of memfd_secret(2) (no other process, not even root through /proc/PID/mem, can
// read them), or, where the kernel has none, from anonymous pages that are locked, kept out of core files and
// not inherited over fork. Regions are made on first use, so fork only before that (mlock is lost over fork).
// Every block is zeroed when given out and wiped when given back. Any thread may call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace popvault {

enum class SecretMemory : std::uint8_t {
  none,           // nothing allocated yet
  memfd_secret,
  locked_pages,
  plain_pages,    // mlock was refused (RLIMIT_MEMLOCK); `status` says so
};
std::string_view to_string(SecretMemory kind) noexcept;

// The weakest kind in use by this process.
SecretMemory secret_memory_kind() noexcept;

// Use locked pages although memfd_secret is there: what stock kernels before 6.5 do. Before the first
// allocation; for tests of that path.
void force_locked_pages() noexcept;

// Aborts when the system has no memory: a secret without its own memory must not exist.
void* secret_allocate(std::size_t size);
void secret_free(void* block, std::size_t size) noexcept;
// Overwrites with zeros in a way the compiler cannot drop.
void wipe(void* data, std::size_t size) noexcept;

// A descriptor of a new memfd_secret region of `size` bytes, or -1 where the kernel has none.
int open_secret_memory(std::size_t size) noexcept;

}  // namespace popvault
