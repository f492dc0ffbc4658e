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

// The wall clock as it was at the last rebase(), carried on by the monotonic one: setting the system's clock forwards or
// backwards in between moves no limit and no deadline.
class HeldClock final : public Clock {
 public:
  explicit HeldClock(const Clock& source) : source_(&source) { rebase(); }
  // When the owner is there: at an unlock that succeeds.
  void rebase();
  Seconds now() const override { return wall_ + (source_->monotonic_ms() - at_ms_) / 1000; }
  std::int64_t monotonic_ms() const override { return source_->monotonic_ms(); }
  // How far the system's clock is ahead of this one.
  Seconds skew() const { return source_->now() - now(); }

 private:
  const Clock* source_;
  Seconds wall_ = 0;
  std::int64_t at_ms_ = 0;
};

// "2026-11-22T05:31:00Z" (RFC 3339, UTC).
std::string rfc3339(Seconds time);

}  // namespace popvault
