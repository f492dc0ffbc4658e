#include "watcher/watcher.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "log/log.hpp"
#include "watcher/bus.hpp"
#include "watcher/daemon_link.hpp"
#include "watcher/hooks.hpp"
#include "watcher/lock_signals.hpp"
#include "watcher/notifier.hpp"
#include "watcher/request_view.hpp"

namespace popvault::watcher {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kStartPatience{10'000};
constexpr std::chrono::milliseconds kStep{50};
// A daemon that stops closes its connections a moment before it is gone; a service manager would start it again for us.
constexpr std::chrono::milliseconds kBeforeReconnect{2'000};

class Watcher {
 public:
  Watcher(const Paths& paths, std::vector<std::string> hook_environment)
      : daemon_(paths), hooks_(std::move(hook_environment)), signals_(system_, session_, [this](std::string_view why) { lock(why); }) {}

  Status run() {
    PV_TRY(connect_first());
    system_.open();
    session_.open();
    log_info("watching");
    while (true) {
      take_events();
      if (!daemon_.is_open() && !connect_again()) return {};
      wait();
      system_.process();
      session_.process();
      hooks_.look();
    }
  }

 private:
  Status connect_first() {
    const auto end = Steady::now() + kStartPatience;
    while (true) {
      const Status opened = daemon_.open();
      if (opened || opened.error().code != Errc::daemon_unreachable || Steady::now() > end) return opened;
      std::this_thread::sleep_for(kStep);
    }
  }

  // False when the daemon has ended.
  bool connect_again() {
    while (true) {
      for (const auto end = Steady::now() + kBeforeReconnect; Steady::now() < end; std::this_thread::sleep_for(kStep))
        if (!daemon_.daemon_lives()) return false;
      if (daemon_.open()) return true;
    }
  }

  void lock(std::string_view why) {
    const Status locked = daemon_.lock();
    if (locked) return log_info(std::string(why) + ": locked");
    // Nothing to lock is as good.
    if (locked.error().code != Errc::vault_missing && locked.error().code != Errc::daemon_unreachable)
      log_warning(std::string(why) + ", and the vault could not be locked: " + locked.error().message());
  }

  // Also those that come during the calls for the first ones.
  void take_events() {
    while (const auto first = daemon_.next_event()) take_these(*first);
  }

  void take_these(const Json& first) {
    std::set<std::string> asked;
    for (std::optional<Json> event = first; event; event = daemon_.next_event()) {
      const std::string what = (*event)["what"].text_or("");
      // A bus that was not there at first may be there when the owner is.
      if (what == "unlocked") system_.open(), session_.open();
      if (what != "purchase") continue;
      const std::string purchase = (*event)["purchase"].text_or("");
      if ((*event)["status"].text_or("") == "awaiting_approval") {
        asked.insert(purchase);
      } else {
        asked.erase(purchase);
        notifier_.take_back(purchase);
      }
    }
    if (!asked.empty()) tell(asked);
  }

  // While the vault is locked (a grant was used) nothing can be read, and no hook is known.
  void tell(const std::set<std::string>& asked) {
    const auto purchases = daemon_.waiting();
    if (!purchases && purchases.error().code == Errc::locked)
      for (const std::string& id : asked) notifier_.show(id, locked_notice());
    if (!purchases) return;
    const auto hook = daemon_.hook();
    for (const Json& purchase : *purchases) {
      const std::string id = purchase["purchase"].text_or("");
      if (!asked.contains(id)) continue;
      notifier_.show(id, notice_of(purchase));
      if (hook && !hook->empty()) hooks_.run(*hook, request_of(purchase).dump() + "\n");
    }
  }

  void wait() {
    std::vector<pollfd> wanted{{daemon_.descriptor(), POLLIN, 0}, system_.wanted(), session_.wanted()};
    hooks_.add_to(wanted);
    int patience = -1;
    for (const int one : {system_.patience(), session_.patience(), hooks_.patience()})
      if (one >= 0) patience = patience < 0 ? one : std::min(patience, one);
    poll(wanted.data(), wanted.size(), patience);
  }

  DaemonLink daemon_;
  Bus system_{Bus::Kind::system};
  Bus session_{Bus::Kind::session};
  Hooks hooks_;
  Notifier notifier_{session_};
  LockSignals signals_;
};

}  // namespace

Status watch(const Paths& paths, std::vector<std::string> hook_environment) {
  Watcher watcher(paths, std::move(hook_environment));
  return watcher.run();
}

}  // namespace popvault::watcher
