#include "secret/secret_bytes.hpp"

#include <cstring>
#include <utility>

#include "secret/arena.hpp"

namespace popvault {

SecretBytes SecretBytes::zeros(std::size_t size) {
  SecretBytes out;
  if (size == 0) return out;
  out.data_ = static_cast<std::uint8_t*>(secret_allocate(size));
  out.size_ = out.block_ = size;
  return out;
}

SecretBytes SecretBytes::copy_of(ByteView source) {
  SecretBytes out = zeros(source.size());
  if (!source.empty()) std::memcpy(out.data_, source.data(), source.size());
  return out;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      block_(std::exchange(other.block_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this == &other) return *this;
  reset();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  block_ = std::exchange(other.block_, 0);
  return *this;
}

SecretBytes SecretBytes::clone() const { return copy_of({data_, size_}); }

void SecretBytes::shrink(std::size_t size) noexcept {
  if (size >= size_) return;
  wipe(data_ + size, size_ - size);
  size_ = size;
}

void SecretBytes::reset() noexcept {
  if (data_ != nullptr) secret_free(data_, block_);
  data_ = nullptr;
  size_ = block_ = 0;
}

bool operator==(const SecretBytes& a, const SecretBytes& b) noexcept {
  return equal_constant_time({a.data_, a.size_}, {b.data_, b.size_});
}

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  if (a.size() != b.size()) return false;
  volatile std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace popvault
