// Token buckets: how often one agent may ask, and how often one record may be asked for.
//
//   bucket   at once   then
//   agent    60        1 a second     purchase.request, purchase.fill
//   record   240       4 a second     those that the policy does not deny, whoever asks
//   refusal  10        1 a minute     journal rows about refusals, of each kind
//   bad_key  20        1 in 5 s       wrong agent keys, of each user
//
// Those of agents and records survive a restart: the journal has a row for each use, and the rows of the last ten minutes are
// taken again in their order, from buckets that were empty then. Who rested for a minute since is at the level of before; who
// never did is at most there. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.hpp"
#include "session/session.hpp"

namespace popvault::gate {

struct Bucket {
  double burst;
  double per_second;
};
constexpr Bucket kAgentBucket{60, 1};
constexpr Bucket kRecordBucket{240, 4};
constexpr Bucket kRefusalBucket{10, 1.0 / 60};
constexpr Bucket kBadKeyBucket{20, 0.2};
constexpr Seconds kReplayed = 600;

class Rates {
 public:
  explicit Rates(const Bucket& bucket = kAgentBucket) : bucket_(bucket) {}

  // Takes one token, or rate_limited.
  Status take(const std::string& who, std::int64_t now_ms);
  // Empty at this time, where nothing is known of it.
  void begin_empty(const std::string& who, std::int64_t at_ms);

 private:
  struct Level {
    double tokens = 0;
    std::int64_t at_ms = 0;
  };
  void forget_full(std::int64_t now_ms);

  Bucket bucket_;
  std::map<std::string, Level> levels_;
};

// What the journal says was taken lately. Once, when the store is first unsealed.
Status replay(Session& session, Rates& agents, Rates& records);

}  // namespace popvault::gate
