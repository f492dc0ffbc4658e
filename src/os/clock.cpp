#include "os/clock.hpp"

#include <array>
#include <ctime>

namespace popvault {
namespace {

class SystemClock : public Clock {
 public:
  Seconds now() const override { return static_cast<Seconds>(std::time(nullptr)); }
  std::int64_t monotonic_ms() const override {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1000000;
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

void HeldClock::rebase() {
  wall_ = source_->now();
  at_ms_ = source_->monotonic_ms();
}

std::string rfc3339(Seconds time) {
  const std::time_t t = static_cast<std::time_t>(time);
  std::tm parts{};
  gmtime_r(&t, &parts);
  std::array<char, 32> text{};
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), n};
}

}  // namespace popvault
