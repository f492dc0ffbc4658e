// What the handlers use, built once in main: the vault's session, the owner's proofs, the injections that run,
// and those who wait for a purchase to change.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/call.hpp"
#include "daemon/guard.hpp"
#include "daemon/injection.hpp"
#include "daemon/loop.hpp"
#include "gate/rates.hpp"
#include "gate/sightings.hpp"
#include "session/session.hpp"

namespace popvault::daemon {

constexpr std::string_view kVersion = POPVAULT_VERSION;

// Told of each change of a purchase.
class PurchaseWatchers {
 public:
  using Changed = std::function<void(const std::string& purchase, const std::string& agent, const std::string& status)>;
  std::uint64_t add(Changed changed);
  void remove(std::uint64_t id) { watchers_.erase(id); }
  void tell(const store::Row& purchase) const;

 private:
  std::map<std::uint64_t, Changed> watchers_;
  std::uint64_t next_ = 1;
};

struct Application {
  struct Request {
    gate::Asked asked;
    std::shared_ptr<Reply> reply;
  };

  Loop& loop;
  Session& session;
  Injections& injections;
  Guard& guard;
  std::string injector_sha256;
  gate::Gate gate{session, injector_sha256};
  std::vector<Request> requests{};                             // of this turn of the loop
  PurchaseWatchers watchers{};
  unsigned verifying = 0;                                      // backups
  bool exporting = false;                                      // the journal
  bool checkpointing = false;                                  // one was posted to the loop
  Seconds retention_at = 0;                                    // when it was looked for last what is too old
  bool backing_up = false;                                     // or restoring
  unsigned bad_recoveries = 0;                                 // since the last good one
  unsigned bad_proofs = 0;                                     // since the last good one
  gate::Rates refusals{gate::kRefusalBucket};
  gate::Rates bad_keys{gate::kBadKeyBucket};
  std::map<std::string, std::int64_t> refusals_left_out{};
  gate::Sightings sightings{};
  bool sightings_recalled = false;                             // what the journal knows of them
  std::set<std::string> connecting{};                          // purchases on their way to an injector
  std::optional<Error> unlock_refused{};                       // why, when the files were the reason
  bool unlocking = false;                                      // a key is being derived
  std::uint64_t locks = 0;                                     // how often lock() was called
  std::function<void(const std::string& agent)> close_agent{};  // ends an agent's connections
  std::function<void(std::string_view what)> tell_owner{};      // an event to the owner's subscribers: "locked"...
  std::function<bool()> watched{};                              // whether a popvault-watcher is subscribed
  std::function<std::size_t(const std::string& agent)> connections_of{};
  std::function<void()> stop{};
  HeldClock* clock = nullptr;                                  // the session's; rebased at each unlock
  Seconds clock_skew() const { return clock != nullptr ? clock->skew() : 0; }
  std::unique_ptr<Timer> sweeping{}, tidying{};
  std::set<std::string> damaged{};                             // records that the sweep could not read

  // A journal row about a refusal, or what else anybody can cause: of each kind (of one agent, where one is named) ten at
  // once, then one a minute; the next row of that kind says how many were left out.
  void note_refusal(journal::Kind kind, Json body, const std::string& agent = {});
  // From which program a connection's agent came, once its key was found good: a change and an anomaly are journalled.
  void note_sighting(Peer& peer);
  // What a proof is measured by now.
  gate::Moment moment() const;
  // What is due now that there is a key: a rotation, the sweep, blobs that killed writers left.
  void after_unlock();
  // Rotates when it is time, and begins the sweep when a deadline is near.
  Status keep_schedule();
  // Moves what still points to older epochs, a few records at a time between other requests.
  void start_sweep();
  // After each request: a checkpoint of the journal that is due is written later on the loop, in a commit of its own.
  void after_request();
  // The journal's daily checkpoint, and once an hour what its retention says.
  Status keep_journal();
  // Overdue purchases end, and those who wait for them are told.
  Status expire();
  // A purchase that is being filled by nobody, because a row could not be written, becomes outcome_unknown.
  Status settle_stranded();
  // An event for the owner's programs: "locked", "unlocked", "frozen", "unfrozen".
  void announce(std::string_view what) const;
  // To the guard, if the rows changed.
  void tell_processors();
  std::uint64_t processors_of = 0;                             // the store's changes when it was told last
  // Wipes the keys, ends challenges and stops what has not taken effect.
  void lock();
  // The same, and the grants go too.
  void lock_all();
  // What is over by now: the session, idle or at its end, and grants.
  void check_deadlines();
  // Something was used or changed: the idle lock begins anew.
  void touch() { touched_ms = session.clock().monotonic_ms(); }
  std::int64_t touched_ms = 0;

 private:
  void sweep_on();
  void ensure_sightings();
  Status recall_sightings();
};

// An error that keeps its asker waiting: 125 ms, doubled `steps` times.
void answer_late(Application& app, unsigned steps, const Error& error, const std::shared_ptr<Reply>& reply);

}  // namespace popvault::daemon
