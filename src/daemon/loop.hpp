// The event loop: descriptors, timers, signals, and work that must not run on it.
//
// One thread runs it; everything is called on that thread except the `work` of offload(). Objects that stand
// for a watch or a timer cancel it when they are destroyed.
#pragma once

#include <functional>
#include <memory>
#include <vector>

namespace popvault::daemon {

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

  // `readable` is called each time there is something to read (or the end). The descriptor stays the caller's,
  // must outlive the watch, and has one watch at most.
  std::unique_ptr<Watch> watch(int fd, std::function<void()> readable);
  // Once, in `milliseconds`.
  std::unique_ptr<Timer> after(std::int64_t milliseconds, std::function<void()> fire);
  // Later on the loop's thread.
  void post(std::function<void()> task);
  // `work` on the worker thread, then `done` on the loop's.
  void offload(std::function<void()> work, std::function<void()> done);
  // The same on a thread of its own, for work on a descriptor that somebody passed: it may hang, and then holds nobody
  // up, also not the end of the process.
  void offload_apart(std::function<void()> work, std::function<void()> done);
  void on_signals(const std::vector<int>& signals, std::function<void(int)> fire);
  void run();
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace popvault::daemon
