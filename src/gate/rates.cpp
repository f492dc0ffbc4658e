#include "gate/rates.hpp"

#include <algorithm>

namespace popvault::gate {
namespace {

constexpr std::size_t kMostLevels = 4096;

double level_at(double tokens, std::int64_t at_ms, std::int64_t now_ms, const Bucket& bucket) {
  const double gained = static_cast<double>(now_ms - at_ms) * bucket.per_second / 1000.0;
  return std::min(bucket.burst, tokens + gained);
}

}  // namespace

// A full bucket says nothing that an absent one does not.
void Rates::forget_full(std::int64_t now_ms) {
  std::erase_if(levels_, [&](const auto& entry) {
    return level_at(entry.second.tokens, entry.second.at_ms, now_ms, bucket_) >= bucket_.burst;
  });
}

Status Rates::take(const std::string& who, std::int64_t now_ms) {
  if (levels_.size() >= kMostLevels) forget_full(now_ms);
  auto [at, fresh] = levels_.try_emplace(who);
  Level& level = at->second;
  level.tokens = fresh ? bucket_.burst : level_at(level.tokens, level.at_ms, now_ms, bucket_);
  level.at_ms = now_ms;
  if (level.tokens < 1) return fail(Errc::rate_limited);
  level.tokens -= 1;
  return {};
}

Status replay(Session& session, Rates& agents, Rates& records) {
  const Seconds now = session.clock().now();
  const std::int64_t now_ms = session.clock().monotonic_ms();
  const auto window = static_cast<Seconds>(kAgentBucket.burst / kAgentBucket.per_second);
  for (const journal::Kind kind : {journal::Kind::purchase_requested, journal::Kind::request_denied,
                                   journal::Kind::use_begin, journal::Kind::use_refused}) {
    PV_ASSIGN(const auto rows, session.store().journal_of(kind, now - window));
    for (const journal::Row& row : rows) {
      PV_ASSIGN(const Json body, Json::parse(row.body));
      const std::int64_t then_ms = now_ms - std::max<Seconds>(0, now - row.at) * 1000;
      (void)agents.take(body["agent"].text_or(""), then_ms);
      (void)records.take(body["record"].text_or(""), then_ms);
    }
  }
  return {};
}

}  // namespace popvault::gate
