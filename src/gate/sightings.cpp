#include "gate/sightings.hpp"

#include <algorithm>

namespace popvault::gate {

Sightings::News Sightings::arrived(std::uint64_t connection, const std::string& agent, const std::string& executable,
                                   Seconds now) {
  News out;
  auto [at, first] = agents_.try_emplace(agent);
  Sighting& sighting = at->second;
  out.changed = first || sighting.since == 0 || sighting.executable != executable;
  if (out.changed) {
    sighting.executable = executable;
    sighting.since = now;
  }
  sighting.last_seen = now;
  for (const auto& [id, other] : connected_) {
    if (id == connection || other.agent != agent || other.executable == executable) continue;
    const Anomaly anomaly{std::min(other.executable, executable), std::max(other.executable, executable), now};
    if (add(sighting, anomaly)) out.anomalies.push_back(anomaly);
  }
  connected_.insert_or_assign(connection, Connected{agent, executable});
  return out;
}

bool Sightings::add(Sighting& sighting, const Anomaly& anomaly) {
  auto& known = sighting.anomalies;
  std::erase_if(known, [&](const Anomaly& a) { return anomaly.at - a.at >= kAnomalyShown; });
  const bool told = std::any_of(known.begin(), known.end(),
                                [&](const Anomaly& a) { return a.one == anomaly.one && a.other == anomaly.other; });
  if (told || known.size() >= kMostAnomalies) return false;
  known.push_back(anomaly);
  return true;
}

void Sightings::recall_executable(const std::string& agent, const std::string& executable, Seconds at) {
  Sighting& sighting = agents_[agent];
  if (sighting.last_seen || at < sighting.since) return;
  sighting.executable = executable;
  sighting.since = at;
}

void Sightings::recall_anomaly(const std::string& agent, const Anomaly& anomaly) { add(agents_[agent], anomaly); }

const Sighting* Sightings::of(const std::string& agent) const {
  const auto found = agents_.find(agent);
  return found == agents_.end() ? nullptr : &found->second;
}

std::vector<Anomaly> Sightings::anomalies(const std::string& agent, Seconds now) const {
  std::vector<Anomaly> out;
  if (const Sighting* const sighting = of(agent))
    std::copy_if(sighting->anomalies.begin(), sighting->anomalies.end(), std::back_inserter(out),
                 [&](const Anomaly& a) { return now - a.at < kAnomalyShown; });
  return out;
}

}  // namespace popvault::gate
