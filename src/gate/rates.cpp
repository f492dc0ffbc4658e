#include "gate/rates.hpp"

#include <algorithm>

namespace popvault::gate {

Status Rates::take(const std::string& who, std::int64_t now_ms) {
  auto [at, fresh] = buckets_.try_emplace(who);
  Bucket& bucket = at->second;
  const double gained = static_cast<double>(now_ms - bucket.at_ms) * per_second_ / 1000.0;
  bucket.tokens = fresh ? burst_ : std::min(burst_, bucket.tokens + gained);
  bucket.at_ms = now_ms;
  if (bucket.tokens < 1) return fail(Errc::rate_limited);
  bucket.tokens -= 1;
  return {};
}

}  // namespace popvault::gate
