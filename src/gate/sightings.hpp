// From which programs an agent's key was shown: labels for the owner, never a decision, since a peer can lie about its
// program. Two programs with one key at once is an anomaly, told once for each pair in 30 days.
//
// What is told goes into the journal and comes back from there after a restart; who is connected is kept in memory. An
// agent's programs are forgotten with its key. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/clock.hpp"

namespace popvault::gate {

constexpr std::size_t kMostAnomalies = 8;                // of one agent
constexpr Seconds kAnomalyShown = 30 * 24 * 3600;        // or until its key is rotated

struct Anomaly {
  std::string one, other;  // executables, in the order of their bytes
  Seconds at = 0;
};

// Of one agent.
struct Sighting {
  std::string executable;           // the last one; empty when the kernel did not tell
  Seconds since = 0;                // when it came after another one, or first
  std::optional<Seconds> last_seen;  // since the daemon started
  std::vector<Anomaly> anomalies;
};

class Sightings {
 public:
  struct News {
    bool changed = false;         // another program than before, or the first one
    std::vector<Anomaly> anomalies;  // new ones
  };
  // A connection whose agent is known now.
  News arrived(std::uint64_t connection, const std::string& agent, const std::string& executable, Seconds now);
  void left(std::uint64_t connection) { connected_.erase(connection); }
  // Its key is another one now, or none.
  void forget(const std::string& agent) { agents_.erase(agent); }

  // From the journal, in its order; what is known already stays.
  void recall_executable(const std::string& agent, const std::string& executable, Seconds at);
  void recall_anomaly(const std::string& agent, const Anomaly& anomaly);

  // Null when it was never seen.
  const Sighting* of(const std::string& agent) const;
  // Those that are still shown.
  std::vector<Anomaly> anomalies(const std::string& agent, Seconds now) const;

 private:
  struct Connected {
    std::string agent, executable;
  };
  bool add(Sighting& sighting, const Anomaly& anomaly);
  std::map<std::string, Sighting, std::less<>> agents_;
  std::map<std::uint64_t, Connected> connected_;
};

}  // namespace popvault::gate
