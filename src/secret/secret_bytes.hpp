// Bytes that must not leak.
//
// Move-only; the block lives in secret memory (arena.hpp), never on the stack or the ordinary heap, and is
// wiped on destruction and on move-out. Equality is constant-time in the contents. There is no stream
// operator and no conversion; reading takes a SecretAccess. One thread at a time.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "secret/access.hpp"

namespace popvault {

class SecretBytes {
 public:
  SecretBytes() noexcept = default;
  // `size` zero bytes.
  static SecretBytes zeros(std::size_t size);
  // A copy; wiping the source is the caller's duty.
  static SecretBytes copy_of(ByteView source);
  ~SecretBytes() { reset(); }
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  ByteView reveal(SecretAccess) const noexcept { return {data_, size_}; }
  std::span<std::uint8_t> reveal(SecretAccess) noexcept { return {data_, size_}; }
  SecretBytes clone() const;
  // Keep the first `size` bytes; the rest is wiped. Never grows.
  void shrink(std::size_t size) noexcept;
  // Wipe and become empty.
  void reset() noexcept;
  friend bool operator==(const SecretBytes& a, const SecretBytes& b) noexcept;

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t block_ = 0;
};

// Constant-time comparison of two spans of one length; false when the lengths differ.
bool equal_constant_time(ByteView a, ByteView b) noexcept;

}  // namespace popvault
