// One connection to one of the daemon's sockets: a request out, its reply back (docs/PROTOCOL.md).
//
// Blocking, one call at a time, one thread. The peer must run as our user (wrong_peer). After
// daemon_unreachable or timeout the connection is of no more use.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "os/descriptor.hpp"
#include "rpc/json.hpp"

namespace popvault::client {

// An error reply: the error, and the `data` object as the daemon sent it (null for errors of this side).
// Becomes a plain Error where a Result is returned.
struct Refusal : Error {
  Refusal(Error error, Json reply_data = {}) : Error(std::move(error)), data(std::move(reply_data)) {}
  Json data;
};
using Reply = tl::expected<Json, Refusal>;

// A reply may be longer than a request: lists of purchases hold texts of agents.
constexpr std::size_t kMaxReply = 1024 * 1024;
constexpr std::chrono::milliseconds kCallTimeout{30'000};
// Events that nobody took; older ones are dropped, so a subscriber looks anew when it has been away.
constexpr std::size_t kMostEvents = 256;

struct CallOptions {
  int descriptor = -1;  // sent with the request; stays the caller's to close
  std::chrono::milliseconds timeout = kCallTimeout;
  Descriptor* received = nullptr;  // gets the descriptor that came with the result, if one did; else it is closed
  int file = -1;  // a second descriptor, the same way
};

class Connection {
 public:
  // Fails with daemon_unreachable, wrong_peer or path_too_long.
  static Result<Connection> open(const std::string& socket_path);

  // Gives the `result`. Null params are left out of the request.
  Reply call(std::string_view method, const Json& params = {}, const CallOptions& options = {});

  // From here on notifications that come between replies are kept for next_event().
  void keep_events() noexcept { keeping_ = true; }
  // The `params` of the oldest one; nothing when none has come. Does not wait. Fails with daemon_unreachable when the
  // connection has ended.
  Result<std::optional<Json>> next_event();
  // To poll for reading; what call() took in already is not seen there.
  int descriptor() const noexcept { return socket_.get(); }

 private:
  using Time = std::chrono::steady_clock::time_point;
  explicit Connection(Descriptor socket) noexcept : socket_(std::move(socket)) {}
  std::optional<std::string> whole_line();
  Result<std::string> next_line(Time deadline);
  void keep(const Json& message);
  Status read_more(Time deadline);

  Descriptor socket_;
  std::string pending_;  // bytes after the last line taken
  std::size_t searched_ = 0;  // of these, without a newline
  Descriptor passed_;    // the first that came during this call
  std::int64_t last_id_ = 0;
  bool keeping_ = false;
  std::deque<Json> events_;
};

// An error object of a reply as a Refusal: the word decides; an unknown word is `internal` with its message.
Refusal refusal_of(const Json& error);

// Compares the `home` of a hello with the home we mean, through symbolic links. Fails with wrong_home.
Status check_home(const Json& hello, const std::string& expected);

}  // namespace popvault::client
