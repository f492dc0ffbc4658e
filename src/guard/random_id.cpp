#include "guard/random_id.hpp"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/bytes.hpp"

namespace popvault::guard {

std::string random_id() {
  std::array<std::uint8_t, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  return to_hex(bytes);
}

}  // namespace popvault::guard
