// Token buckets: how often one agent may ask. Kept in memory: a restart gives full buckets, which the money
// caps bound.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.hpp"

namespace popvault::daemon {

class Rates {
 public:
  static constexpr double kBurst = 60;
  static constexpr double kPerSecond = 1;

  // Takes one token, or rate_limited.
  Status take(const std::string& who, std::int64_t now_ms);

 private:
  struct Bucket {
    double tokens = kBurst;
    std::int64_t at_ms = 0;
  };
  std::map<std::string, Bucket> buckets_;
};

}  // namespace popvault::daemon
