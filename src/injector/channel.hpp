// The descriptors of the process: the daemon's control channel and the connection to the browser or the guard, watched
// together under one deadline, and the browser's pipe behind the guard. One thread.
#pragma once

#include <chrono>
#include <optional>

#include "injector/failure.hpp"

namespace popvault::injector {

using Clock = std::chrono::steady_clock;

// One message of the daemon, with the descriptor that came with it (-1: none; the caller owns it).
struct ControlMessage {
  Bytes bytes;
  int descriptor = -1;
};

class Channel {
 public:
  // `pipe`: -1 when there is none.
  Channel(int control, int browser, int pipe = -1) : control_(control), browser_(browser), pipe_(pipe) {}

  // The connection leads to the guard: it is guard_lost that ends it.
  void use_guard() { lost_ = Outcome::guard_lost; }
  bool has_pipe() const { return pipe_ >= 0; }

  // Outcome::timeout from then on.
  void set_deadline(Clock::time_point deadline) { deadline_ = deadline; }
  Clock::time_point deadline() const { return deadline_; }
  // After the daemon hung up there is still something to clear: it is not listened to any more.
  void ignore_control() { listen_ = false; }

  // The first message, before the browser is listened to.
  Step<ControlMessage> receive_first() { return take_control(); }
  // Waits for the daemon's next message. Fails with stopped when it closed its end, and with timeout.
  // `browser_ready` is called when the browser has said something meanwhile.
  template <class Ready>
  Step<ControlMessage> receive(Ready browser_ready) {
    while (true) {
      const auto who = wait(true, Clock::time_point::max());
      if (!who) return tl::unexpected(who.error());
      if (who->browser) {
        const Step<void> read = browser_ready();
        if (!read) return tl::unexpected(read.error());
      }
      if (who->control) return take_control();
    }
  }
  // Fails with stopped when the daemon hung up, half or whole, or said anything; with timeout when the time is over.
  // Does not wait: asked before each secret that goes to the browser.
  Step<void> still_wanted();
  // False when the daemon is gone; the process ends soon after either way.
  bool send(ByteView message) noexcept;

  // Bytes of the browser, appended to `out`. Waits until there are some or until `until` (then nothing is added).
  Step<void> read_browser(Bytes& out, Clock::time_point until = Clock::time_point::max());
  // The same without a wait, for when some are known to be there: a message of the daemon may come meanwhile.
  Step<void> read_ready(Bytes& out);
  Step<void> write_browser(ByteView bytes) { return write_to(browser_, bytes); }
  Step<void> write_pipe(ByteView bytes) { return write_to(pipe_, bytes); }
  Outcome lost() const { return lost_; }

 private:
  struct Who {
    bool control = false, browser = false;
  };
  Step<Who> wait(bool expect_control, Clock::time_point until);
  Step<ControlMessage> take_control();
  Step<void> write_to(int fd, ByteView bytes);

  int control_, browser_, pipe_;
  Outcome lost_ = Outcome::browser_unreachable;
  bool listen_ = true;
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace popvault::injector
