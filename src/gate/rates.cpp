#include "gate/rates.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

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

void Rates::begin_empty(const std::string& who, std::int64_t at_ms) { levels_.try_emplace(who, Level{0, at_ms}); }

Status replay(Session& session, Rates& agents, Rates& records) {
  const Seconds now = session.clock().now();
  const std::int64_t now_ms = session.clock().monotonic_ms();
  std::vector<journal::Row> rows;
  for (const journal::Kind kind : {journal::Kind::purchase_requested, journal::Kind::request_denied,
                                   journal::Kind::use_begin, journal::Kind::use_refused}) {
    PV_ASSIGN(auto some, session.store().journal_of(kind, now - kReplayed));
    std::move(some.begin(), some.end(), std::back_inserter(rows));
  }
  std::sort(rows.begin(), rows.end(), [](const journal::Row& a, const journal::Row& b) { return a.seq < b.seq; });
  std::int64_t then_ms = now_ms - kReplayed * 1000;
  const auto take = [&](Rates& rates, const std::string& who) {
    if (who.empty()) return;
    rates.begin_empty(who, now_ms - kReplayed * 1000);
    (void)rates.take(who, then_ms);
  };
  for (const journal::Row& row : rows) {
    PV_ASSIGN(const Json body, Json::parse(row.body));
    // Never backwards, also where the clock was set back.
    then_ms = std::max(then_ms, now_ms - std::max<Seconds>(0, now - row.at) * 1000);
    take(agents, body["agent"].text_or(""));
    if (row.kind != journal::Kind::request_denied) take(records, body["record"].text_or(""));
  }
  return {};
}

}  // namespace popvault::gate
