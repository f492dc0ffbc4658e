// Time. All times kept in files are whole seconds since 1970, UTC.
#pragma once

#include <cstdint>
#include <string>

namespace popvault {

using Seconds = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Seconds now() const = 0;                // wall clock
  virtual std::int64_t monotonic_ms() const = 0;  // never goes back; CLOCK_BOOTTIME
};
const Clock& system_clock();

// "2026-11-22T05:31:00Z" (RFC 3339, UTC).
std::string rfc3339(Seconds time);

}  // namespace popvault
