#include "watcher/lock_signals.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "log/log.hpp"

namespace popvault::watcher {
namespace {

constexpr const char* kLogind = "org.freedesktop.login1";
constexpr const char* kManager = "/org/freedesktop/login1";

// An interface has its name from its desktop; all have the signal ActiveChanged(b).
constexpr const char* kScreenSavers[] = {"org.freedesktop.ScreenSaver", "org.gnome.ScreenSaver", "org.cinnamon.ScreenSaver",
                                         "org.mate.ScreenSaver", "org.xfce.ScreenSaver"};

std::string path_of(sd_bus_message* message) {
  const char* const path = sd_bus_message_get_path(message);
  return path == nullptr ? std::string() : std::string(path);
}

bool says_true(sd_bus_message* message) {
  int value = 0;
  return sd_bus_message_read(message, "b", &value) >= 0 && value != 0;
}

// PropertiesChanged(s interface, a{sv} changed, as invalidated): whether LockedHint became true.
bool locked_hint(sd_bus_message* message) {
  const char* interface = nullptr;
  if (sd_bus_message_read(message, "s", &interface) < 0 || std::string_view(interface) != "org.freedesktop.login1.Session")
    return false;
  if (sd_bus_message_enter_container(message, 'a', "{sv}") < 0) return false;
  while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
    const char* name = nullptr;
    if (sd_bus_message_read(message, "s", &name) < 0) return false;
    if (std::string_view(name) == "LockedHint") {
      int value = 0;
      return sd_bus_message_read(message, "v", "b", &value) >= 0 && value != 0;
    }
    if (sd_bus_message_skip(message, "v") < 0 || sd_bus_message_exit_container(message) < 0) return false;
  }
  return false;
}

// The answer to Get(Session, User): a variant of (uo). What cannot be told is taken for ours.
bool is_ours(sd_bus_message* message) {
  std::uint32_t uid = 0;
  if (sd_bus_message_is_method_error(message, nullptr) > 0) return true;
  if (sd_bus_message_enter_container(message, 'v', "(uo)") < 0 || sd_bus_message_enter_container(message, 'r', "uo") < 0) return true;
  return sd_bus_message_read(message, "u", &uid) < 0 || uid == getuid();
}

}  // namespace

LockSignals::LockSignals(Bus& system, Bus& session, Lock lock) : system_(system), session_(session), lock_(std::move(lock)) {
  system_.on_open([this] { listen_to_logind(); });
  session_.on_open([this] { listen_to_screen(); });
}

void LockSignals::listen_to_logind() {
  const std::string from = std::string("type='signal',sender='") + kLogind + "',";
  system_.match(from + "path='" + kManager + "',interface='org.freedesktop.login1.Manager',member='PrepareForSleep'",
                [this](sd_bus_message* message) { prepare_for_sleep(message); });
  system_.match(from + "interface='org.freedesktop.login1.Session',member='Lock'",
                [this](sd_bus_message* message) { session_locked(path_of(message)); });
  system_.match(from + "path_namespace='" + kManager + "/session',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'",
                [this](sd_bus_message* message) {
                  if (locked_hint(message)) session_locked(path_of(message));
                });
  delay_sleep();
}

void LockSignals::listen_to_screen() {
  for (const char* interface : kScreenSavers)
    session_.match(std::string("type='signal',interface='") + interface + "',member='ActiveChanged'", [this](sd_bus_message* message) {
      if (says_true(message)) lock_("the screen was locked");
    });
}

void LockSignals::delay_sleep() {
  system_.call({kLogind, kManager, "org.freedesktop.login1.Manager", "Inhibit"},
               [](sd_bus_message* message) {
                 return sd_bus_message_append(message, "ssss", "sleep", "popvault", "locks the vault before sleep", "delay");
               },
               [this](sd_bus_message* message) {
                 int fd = -1;
                 if (sd_bus_message_is_method_error(message, nullptr) > 0)
                   return log_warning("sleep does not wait for the vault to lock: " + error_text(message));
                 if (sd_bus_message_read(message, "h", &fd) >= 0) inhibitor_ = Descriptor(fcntl(fd, F_DUPFD_CLOEXEC, 3));
               });
}

void LockSignals::prepare_for_sleep(sd_bus_message* message) {
  if (!says_true(message)) return delay_sleep();
  lock_("the machine goes to sleep");
  inhibitor_.reset();
}

void LockSignals::session_locked(const std::string& path) {
  system_.call({kLogind, path.c_str(), "org.freedesktop.DBus.Properties", "Get"},
               [](sd_bus_message* message) { return sd_bus_message_append(message, "ss", "org.freedesktop.login1.Session", "User"); },
               [this](sd_bus_message* answer) {
                 if (is_ours(answer)) lock_("the session was locked");
               });
}

}  // namespace popvault::watcher
