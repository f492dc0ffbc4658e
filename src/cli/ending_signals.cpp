#include "cli/ending_signals.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace popvault::cli {
namespace {

constexpr std::array kEnding = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2};

bool ignored(int signal) noexcept {
  struct sigaction now {};
  return sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

Result<EndingSignals> EndingSignals::hold(std::initializer_list<int> also) {
  sigset_t told, all;
  sigemptyset(&told);
  sigfillset(&all);
  for (const int signal : kEnding)
    if (!ignored(signal)) sigaddset(&told, signal);
  for (const int signal : also) sigaddset(&told, signal);
  EndingSignals out;
  out.signals_ = Descriptor(signalfd(-1, &told, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!out.signals_) return fail_errno(errno, "signalfd");
  sigprocmask(SIG_SETMASK, &all, &out.before_);
  out.held_ = true;
  return out;
}

EndingSignals::EndingSignals(EndingSignals&& other) noexcept
    : held_(std::exchange(other.held_, false)),
      ended_by_(std::exchange(other.ended_by_, 0)),
      before_(other.before_),
      signals_(std::move(other.signals_)) {}

EndingSignals::~EndingSignals() {
  if (!held_) return;
  sigprocmask(SIG_SETMASK, &before_, nullptr);
  if (ended_by_ != 0) raise(ended_by_);
}

int EndingSignals::take() noexcept {
  signalfd_siginfo found{};
  if (read(signals_.get(), &found, sizeof found) != static_cast<ssize_t>(sizeof found)) return 0;
  const int signal = static_cast<int>(found.ssi_signo);
  if (std::find(kEnding.begin(), kEnding.end(), signal) != kEnding.end()) ended_by_ = signal;
  return signal;
}

bool EndingSignals::wait_for(int fd) noexcept {
  while (true) {
    while (take() != 0) {
    }
    if (ended()) return false;
    pollfd wait[] = {{fd, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    poll(wait, 2, -1);
    if (wait[1].revents == 0 && wait[0].revents != 0) return true;
  }
}

void EndingSignals::let_through(int signal) noexcept {
  sigset_t one, now;
  sigemptyset(&one);
  sigaddset(&one, signal);
  raise(signal);
  sigprocmask(SIG_UNBLOCK, &one, &now);
  sigprocmask(SIG_SETMASK, &now, nullptr);
}

}  // namespace popvault::cli
