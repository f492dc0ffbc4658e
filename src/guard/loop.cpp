#include "guard/loop.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>

namespace asio = boost::asio;
using boost::system::error_code;

namespace popvault::guard {

struct Loop::Impl {
  asio::io_context io{1};
  asio::signal_set signals{io};
  std::function<void(int)> on_signal;

  void wait_signal() {
    signals.async_wait([this](error_code error, int number) {
      if (error) return;
      on_signal(number);
      wait_signal();
    });
  }
};

namespace {

// Kept alive by its own pending waits; the Watch handle only says when it is over.
class WatchState : public std::enable_shared_from_this<WatchState> {
 public:
  WatchState(asio::io_context& io, int fd, std::function<void()> readable)
      : descriptor_(io, fd), readable_(std::move(readable)), paused_(!readable_) {}

  void listen() {
    if (listening_ || paused_ || over_) return;
    listening_ = true;
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](error_code error) {
      self->listening_ = false;
      if (error || self->over_ || self->paused_) return;
      // The callback may destroy the watch, and with it the function that runs.
      const auto callback = self->readable_;
      callback();
      self->listen();
    });
  }
  void write(std::function<void()> ready) {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_write,
                           [self = shared_from_this(), ready = std::move(ready)](error_code error) {
                             if (!error && !self->over_) ready();
                           });
  }
  void pause(bool paused) {
    paused_ = paused;
    if (!paused) listen();
  }
  void end() {
    over_ = true;
    readable_ = nullptr;
    descriptor_.release();  // cancels the waits; the descriptor is the caller's
  }

 private:
  asio::posix::stream_descriptor descriptor_;
  std::function<void()> readable_;
  bool listening_ = false;
  bool paused_ = false;
  bool over_ = false;
};

class AsioWatch : public Watch {
 public:
  explicit AsioWatch(std::shared_ptr<WatchState> state) : state_(std::move(state)) { state_->listen(); }
  ~AsioWatch() override { state_->end(); }
  AsioWatch(const AsioWatch&) = delete;
  AsioWatch& operator=(const AsioWatch&) = delete;
  void when_writable(std::function<void()> ready) override { state_->write(std::move(ready)); }
  void pause() override { state_->pause(true); }
  void resume() override { state_->pause(false); }

 private:
  std::shared_ptr<WatchState> state_;
};

class AsioTimer : public Timer {
 public:
  AsioTimer(asio::io_context& io, std::int64_t ms, std::function<void()> fire)
      : timer_(io, std::chrono::milliseconds(ms)), alive_(std::make_shared<bool>(true)) {
    timer_.async_wait([alive = alive_, fire = std::move(fire)](error_code error) {
      if (!error && *alive) fire();
    });
  }
  ~AsioTimer() override { *alive_ = false; }
  AsioTimer(const AsioTimer&) = delete;
  AsioTimer& operator=(const AsioTimer&) = delete;

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> alive_;
};

}  // namespace

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

std::unique_ptr<Watch> Loop::watch(int fd, std::function<void()> readable) {
  return std::make_unique<AsioWatch>(std::make_shared<WatchState>(impl_->io, fd, std::move(readable)));
}
std::unique_ptr<Timer> Loop::after(std::int64_t milliseconds, std::function<void()> fire) {
  return std::make_unique<AsioTimer>(impl_->io, milliseconds, std::move(fire));
}
void Loop::post(std::function<void()> task) { asio::post(impl_->io, std::move(task)); }
void Loop::on_signals(std::function<void(int)> fire) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) impl_->signals.add(number);
  impl_->on_signal = std::move(fire);
  impl_->wait_signal();
}
void Loop::run() { impl_->io.run(); }
void Loop::stop() { impl_->io.stop(); }
asio::io_context& Loop::io() { return impl_->io; }

}  // namespace popvault::guard
