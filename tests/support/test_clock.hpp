// A clock that stands until a test moves it.
#pragma once

#include "os/clock.hpp"

namespace popvault::test {

class TestClock final : public Clock {
 public:
  explicit TestClock(Seconds now = 1'800'000'000) : now_(now) {}
  Seconds now() const override { return now_; }
  std::int64_t monotonic_ms() const override { return ms_; }
  void pass(Seconds seconds) { now_ += seconds, ms_ += seconds * 1000; }

  Seconds now_;
  std::int64_t ms_ = 5'000'000;
};

}  // namespace popvault::test
