#include "os/closer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace popvault {
namespace {

class Closer {
 public:
  void take(Descriptor descriptor) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(descriptor));
    ++pending_;
    if (idle_ < waiting_.size() && threads_ < kMostClosing) {
      ++threads_;
      std::thread([this] { run(); }).detach();
    }
    there_.notify_one();
  }
  std::size_t pending() {
    const std::lock_guard lock(mutex_);
    return pending_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      there_.wait(lock, [this] { return !waiting_.empty(); });
      --idle_;
      Descriptor next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next.reset();
      lock.lock();
      --pending_;
    }
  }

  std::mutex mutex_;
  std::condition_variable there_;
  std::deque<Descriptor> waiting_;
  std::size_t pending_ = 0, idle_ = 0, threads_ = 0;
};

// Never destroyed: their threads run until the process ends.
Closer& closer(Closing side) {
  static Closer* const closers = new Closer[2];
  return closers[static_cast<std::size_t>(side)];
}

std::string link_of(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

}  // namespace

void close_elsewhere(Descriptor descriptor, Closing side) {
  if (descriptor) closer(side).take(std::move(descriptor));
}

std::size_t closing(Closing side) { return closer(side).pending(); }

PassedKind kind_of_passed(int descriptor) {
  std::array<char, 64> text{};
  const ssize_t n = readlink(link_of(descriptor).c_str(), text.data(), text.size());
  const std::string_view target(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  if (target.starts_with("pipe:[")) return PassedKind::pipe;
  if (target.starts_with("/secretmem")) return PassedKind::secret_memory;
  // What the kernel knows of it already; a FUSE server is not asked.
  struct statx known {};
  if (statx(descriptor, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &known) == 0 &&
      (known.stx_mask & STATX_TYPE) != 0 && S_ISREG(known.stx_mode))
    return PassedKind::file;
  return PassedKind::other;
}

Descriptor reopen_pipe(Descriptor pipe) {
  return Descriptor(open(link_of(pipe.get()).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

}  // namespace popvault
