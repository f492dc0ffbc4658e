// The other side of a D-Bus connection in tests: a logind or a desktop's notification server, as a peer on a real bus.
//
//   bus_peer ADDRESS logind    owns org.freedesktop.login1; prints "inhibit WHAT WHO WHY MODE" and "released"
//   bus_peer ADDRESS desktop   owns org.freedesktop.Notifications; prints "notify" with summary and body as hex, and "close ID"
// Commands on standard input, one a line; "ok" when the bus has it:
//   sleep true|false    lock PATH    hint PATH true|false    active INTERFACE true|false
// It ends with its standard input. A session path that ends in "other" is another user's.

#include <poll.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>

namespace {

int g_released = -1;  // the end of the inhibitor's pipe that sees the other one close

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::string hex(const char* text) {
  std::string out;
  char digits[3];
  for (; *text != '\0'; ++text) {
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(*text));
    out += digits;
  }
  return out.empty() ? "-" : out;
}

int inhibit(sd_bus_message* message, void*, sd_bus_error*) {
  const char *what = nullptr, *who = nullptr, *why = nullptr, *mode = nullptr;
  if (sd_bus_message_read(message, "ssss", &what, &who, &why, &mode) < 0) return -EINVAL;
  int ends[2];
  if (pipe(ends) != 0) return -errno;
  const int sent = sd_bus_reply_method_return(message, "h", ends[1]);
  close(ends[1]);
  if (g_released >= 0) close(g_released);
  g_released = ends[0];
  say(std::string("inhibit ") + what + " " + who + " " + mode);
  return sent;
}

int get_property(sd_bus_message* message, void*, sd_bus_error* error) {
  const char *interface = nullptr, *name = nullptr;
  const std::string path = sd_bus_message_get_path(message);
  if (sd_bus_message_read(message, "ss", &interface, &name) < 0) return -EINVAL;
  if (path.ends_with("gone")) return sd_bus_error_set(error, "org.freedesktop.DBus.Error.UnknownObject", "no such session");
  return sd_bus_reply_method_return(message, "v", "(uo)", path.ends_with("other") ? 54321U : getuid(), "/org/freedesktop/login1/user/x");
}

int notify(sd_bus_message* message, void*, sd_bus_error*) {
  static unsigned id = 0;
  const char *application = nullptr, *icon = nullptr, *summary = nullptr, *body = nullptr;
  unsigned replaces = 0;
  if (sd_bus_message_read(message, "susss", &application, &replaces, &icon, &summary, &body) < 0) return -EINVAL;
  say("notify " + hex(summary) + " " + hex(body));
  return sd_bus_reply_method_return(message, "u", ++id);
}

int close_notification(sd_bus_message* message, void*, sd_bus_error*) {
  unsigned id = 0;
  if (sd_bus_message_read(message, "u", &id) < 0) return -EINVAL;
  say("close " + std::to_string(id));
  return sd_bus_reply_method_return(message, "");
}

const sd_bus_vtable kManager[] = {SD_BUS_VTABLE_START(0),
                                  SD_BUS_METHOD("Inhibit", "ssss", "h", inhibit, SD_BUS_VTABLE_UNPRIVILEGED), SD_BUS_VTABLE_END};
const sd_bus_vtable kNotifications[] = {
    SD_BUS_VTABLE_START(0), SD_BUS_METHOD("Notify", "susssasa{sv}i", "u", notify, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CloseNotification", "u", "", close_notification, SD_BUS_VTABLE_UNPRIVILEGED), SD_BUS_VTABLE_END};

// Sessions are any path: a filter answers Get before sd-bus looks for objects.
int filter(sd_bus_message* message, void* data, sd_bus_error* error) {
  if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Get") > 0 &&
      std::strstr(sd_bus_message_get_path(message), "/session/") != nullptr) {
    const int done = get_property(message, data, error);
    if (done < 0) sd_bus_reply_method_error(message, error);
    return 1;
  }
  return 0;
}

int hint(sd_bus* bus, const std::string& path, bool value) {
  sd_bus_message* signal = nullptr;
  int result = sd_bus_message_new_signal(bus, &signal, path.c_str(), "org.freedesktop.DBus.Properties", "PropertiesChanged");
  if (result >= 0)
    result = sd_bus_message_append(signal, "sa{sv}as", "org.freedesktop.login1.Session", 2, "IdleHint", "b", 1, "LockedHint", "b",
                                   value ? 1 : 0, 0);
  if (result >= 0) result = sd_bus_send(bus, signal, nullptr);
  sd_bus_message_unref(signal);
  return result;
}

int obey(sd_bus* bus, const std::string& line) {
  std::istringstream words(line);
  std::string verb, first, second;
  words >> verb >> first >> second;
  if (verb == "sleep")
    return sd_bus_emit_signal(bus, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep", "b", first == "true");
  if (verb == "lock") return sd_bus_emit_signal(bus, first.c_str(), "org.freedesktop.login1.Session", "Lock", "");
  if (verb == "hint") return hint(bus, first, second == "true");
  if (verb == "active") return sd_bus_emit_signal(bus, "/ScreenSaver", first.c_str(), "ActiveChanged", "b", second == "true");
  return -EINVAL;
}

int run(sd_bus* bus) {
  std::string pending;
  while (true) {
    int worked = 0;
    while ((worked = sd_bus_process(bus, nullptr)) > 0) {
    }
    if (worked < 0) return 1;
    pollfd wait[] = {{sd_bus_get_fd(bus), static_cast<short>(sd_bus_get_events(bus)), 0}, {0, POLLIN, 0}, {g_released, 0, 0}};
    if (poll(wait, 3, -1) < 0) return 1;
    if (wait[2].revents != 0) {
      close(g_released);
      g_released = -1;
      say("released");
    }
    if (wait[1].revents == 0) continue;
    char buffer[4096];
    const ssize_t n = read(0, buffer, sizeof buffer);
    if (n <= 0) return 0;
    pending.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end = 0; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
      const int done = obey(bus, pending.substr(0, end));
      sd_bus_flush(bus);
      say(done < 0 ? std::string("failed ") + std::strerror(-done) : "ok");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const bool logind = std::string(argv[2]) == "logind";
  sd_bus* bus = nullptr;
  if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, argv[1]) < 0 || sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_start(bus) < 0) return 1;
  sd_bus_add_filter(bus, nullptr, filter, nullptr);
  const int added = logind ? sd_bus_add_object_vtable(bus, nullptr, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", kManager, nullptr)
                           : sd_bus_add_object_vtable(bus, nullptr, "/org/freedesktop/Notifications", "org.freedesktop.Notifications",
                                                      kNotifications, nullptr);
  if (added < 0 || sd_bus_request_name(bus, logind ? "org.freedesktop.login1" : "org.freedesktop.Notifications", 0) < 0) return 1;
  say("ready");
  return run(bus);
}
