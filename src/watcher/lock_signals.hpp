// When the desktop says that the owner goes away: sleep and the session's lock from logind, the screen's lock from what
// the desktop has.
//
//   system bus   org.freedesktop.login1.Manager.PrepareForSleep(true); Session.Lock and LockedHint of our own sessions
//   session bus  ActiveChanged(true) of org.freedesktop.ScreenSaver and the desktops' own names for it
//
// A delay inhibitor of logind is held, so that sleep waits (at most logind's InhibitDelayMaxSec) until the vault is
// locked; it is let go then and taken again after the sleep. A doubtful signal locks: that takes nothing but a passphrase.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "os/descriptor.hpp"
#include "watcher/bus.hpp"

namespace popvault::watcher {

class LockSignals {
 public:
  using Lock = std::function<void(std::string_view why)>;  // returns when it is done, or cannot be

  // The buses outlive this.
  LockSignals(Bus& system, Bus& session, Lock lock);

 private:
  void listen_to_logind();
  void listen_to_screen();
  void delay_sleep();
  void prepare_for_sleep(sd_bus_message* message);
  void session_locked(const std::string& path);

  Bus& system_;
  Bus& session_;
  Lock lock_;
  Descriptor inhibitor_;
};

}  // namespace popvault::watcher
