// Signals while the terminal is not as the shell left it: without echo, raw, or on its alternate screen.
//
// While one of these lives every signal is held back, so that none ends or stops the program in between; whoever waits for
// input waits for them too. The destructor lets them through again, and one that asked the program to end then has its
// usual effect: so it is made first and dies last, after the terminal is as it was. They may be nested: the inner one hands
// on to the outer one. Signals that are ignored stay so. One thread. (SIGKILL and SIGSTOP nobody can hold off.)
#pragma once

#include <signal.h>

#include <cstdint>
#include <initializer_list>

#include "base/result.hpp"
#include "os/descriptor.hpp"

namespace popvault::cli {

class EndingSignals {
 public:
  // SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1 and SIGUSR2 end; those of `also` are only told (SIGWINCH...). Fails
  // with io_error, and has changed nothing then.
  static Result<EndingSignals> hold(std::initializer_list<int> also = {});
  ~EndingSignals();
  EndingSignals(EndingSignals&& other) noexcept;
  EndingSignals& operator=(EndingSignals&&) = delete;

  // To poll for reading.
  int descriptor() const noexcept { return signals_.get(); }
  // The next one that came, 0 when there is none; an ending one is kept for the destructor.
  int take() noexcept;
  bool ended() const noexcept { return ended_by_ != 0; }
  // Until `fd` can be read (true), or one that ends has come.
  bool wait_for(int fd) noexcept;
  // Lets the signal have its usual effect now, as SIGTSTP: returns when the program goes on.
  void let_through(int signal) noexcept;

 private:
  EndingSignals() = default;
  bool held_ = false;
  int ended_by_ = 0;
  sigset_t before_{};
  Descriptor signals_;
};

}  // namespace popvault::cli
