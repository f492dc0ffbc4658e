// The guard's event loop: descriptors, timers, later calls. One thread runs it and everything of the guard is called on it.
// Objects that stand for a watch or a timer cancel it when they are destroyed, also from inside their own callback.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace popvault::guard {

class Watch {
 public:
  virtual ~Watch() = default;
  // Calls back once when the descriptor can be written.
  virtual void when_writable(std::function<void()> ready) = 0;
  // Stop and start looking for readable.
  virtual void pause() = 0;
  virtual void resume() = 0;
};

class Timer {
 public:
  virtual ~Timer() = default;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // `readable` is called each time there is something to read, or the end; it may be empty. The descriptor stays the
  // caller's, must outlive the watch, and has one watch at most.
  std::unique_ptr<Watch> watch(int fd, std::function<void()> readable);
  // Once, in `milliseconds`.
  std::unique_ptr<Timer> after(std::int64_t milliseconds, std::function<void()> fire);
  void post(std::function<void()> task);
  void on_signals(std::function<void(int)> fire);  // SIGTERM, SIGINT, SIGHUP, SIGCHLD
  void run();
  void stop();
  boost::asio::io_context& io();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace popvault::guard
