#include "daemon/rates.hpp"

#include <algorithm>

namespace popvault::daemon {

Status Rates::take(const std::string& who, std::int64_t now_ms) {
  auto [at, fresh] = buckets_.try_emplace(who);
  Bucket& bucket = at->second;
  if (!fresh)
    bucket.tokens = std::min(kBurst, bucket.tokens + static_cast<double>(now_ms - bucket.at_ms) * kPerSecond / 1000.0);
  bucket.at_ms = now_ms;
  if (bucket.tokens < 1) return fail(Errc::rate_limited);
  bucket.tokens -= 1;
  return {};
}

}  // namespace popvault::daemon
