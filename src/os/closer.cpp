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
  Closer() { std::thread([this] { run(); }).detach(); }

  void take(Descriptor descriptor) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(descriptor));
    there_.notify_one();
  }

 private:
  void run() {
    while (true) {
      std::unique_lock lock(mutex_);
      there_.wait(lock, [this] { return !waiting_.empty(); });
      Descriptor next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next.reset();
    }
  }

  std::mutex mutex_;
  std::condition_variable there_;
  std::deque<Descriptor> waiting_;
};

std::string link_of(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

}  // namespace

void close_elsewhere(Descriptor descriptor) {
  if (!descriptor) return;
  // Never destroyed: its thread runs until the process ends.
  static Closer* const closer = new Closer;
  closer->take(std::move(descriptor));
}

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
