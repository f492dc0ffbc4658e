// One D-Bus connection, of the system or of the user's session, that is allowed to be missing, to hang and to die.
//
// Everything is asynchronous: no call waits. When the connection fails it is closed, one line is logged, and the object
// stays usable; open() tries again. Callbacks run inside process(). One thread.
#pragma once

#include <poll.h>
#include <systemd/sd-bus.h>

#include <cstdint>
#include <functional>
#include <string>

namespace popvault::watcher {

class Bus {
 public:
  enum class Kind : std::uint8_t { system, session };
  // The message is the callback's only until it returns; of a call it may be an error (sd_bus_message_is_method_error).
  using Handler = std::function<void(sd_bus_message*)>;
  using Fill = std::function<int(sd_bus_message*)>;  // appends the arguments; below 0 gives the call up

  struct Method {
    const char* service;
    const char* path;
    const char* interface;
    const char* member;
  };

  explicit Bus(Kind kind) noexcept : kind_(kind) {}
  ~Bus() { close(); }
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  // Run after each successful open(), to add matches and make first calls.
  void on_open(std::function<void()> opened) { opened_ = std::move(opened); }
  // Connects, if it is not connected. A bus that is not there is logged the first time.
  void open();
  bool is_open() const noexcept { return bus_ != nullptr; }

  void match(const std::string& rule, Handler handler);
  void call(const Method& method, const Fill& fill, Handler answered);

  // For poll(2): fd is -1 while it is closed. The wait in milliseconds, -1 for none.
  pollfd wanted() const noexcept;
  int patience() const noexcept;
  // Everything that has come.
  void process();

 private:
  void close() noexcept;
  void lost(int error);

  Kind kind_;
  sd_bus* bus_ = nullptr;
  std::function<void()> opened_;
  bool complained_ = false;
};

// Which member of a bus an error reply names; empty when there is none.
std::string error_text(sd_bus_message* message);

}  // namespace popvault::watcher
