// Token buckets: how often one agent may ask. Kept in memory: a restart gives full buckets, which the money
// caps bound.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.hpp"

namespace popvault::gate {

class Rates {
 public:
  // So many at once, then so many a second.
  explicit Rates(double burst = 60, double per_second = 1) : burst_(burst), per_second_(per_second) {}

  // Takes one token, or rate_limited.
  Status take(const std::string& who, std::int64_t now_ms);

 private:
  struct Bucket {
    double tokens = 0;
    std::int64_t at_ms = 0;
  };
  double burst_, per_second_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace popvault::gate
