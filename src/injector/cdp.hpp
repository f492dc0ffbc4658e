// Commands to the browser and their answers: the Chrome DevTools Protocol over one WebSocket, or over the guard's stream.
//
// Commands are numbered and may be sent many at a time; nothing goes out before the first wait. Answers are kept
// until asked for. Events go to the listeners, called while waiting. No secret passes through send(): those
// commands are built as a SecretFrame. Behind the guard these go into the browser's pipe, past the guard
// (rpc/guard_protocol.hpp).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "injector/channel.hpp"
#include "injector/secret_frame.hpp"
#include "injector/websocket.hpp"
#include "injector/zero_ended.hpp"
#include "rpc/json.hpp"

namespace popvault::injector {

class Cdp {
 public:
  using Id = std::int64_t;
  struct Event {
    std::string method, session;
    Json params;
  };
  struct Reply {
    bool ok = false;  // else the browser refused the command
    Json result;
  };
  using Listener = std::function<void(const Event&)>;

  Cdp(Channel& channel, bool guarded);

  // Asks for the browser's WebSocket and upgrades the connection to it. Fails with browser_unreachable. The guard's
  // stream is open from the start.
  Step<void> open();
  void listen(Listener listener) { listeners_.push_back(std::move(listener)); }
  bool guarded() const { return guarded_; }

  // `session`: empty for the browser itself.
  Id send(std::string_view method, Json params = {}, std::string_view session = {});
  // The start of a command that may carry secrets: {"sessionId":..,"method":..,"params":
  // The caller adds the params, and hands the frame to send_secret or, when nothing in it is secret, to send_open: these
  // add the id and the last brace.
  static void begin_frame(SecretFrame& frame, std::string_view method, std::string_view session);
  Step<Id> send_secret(SecretFrame& frame, std::string_view session);
  Step<Id> send_open(SecretFrame& frame, std::string_view session);

  Step<Reply> wait(Id id);
  // A method of the guard's own. Fails with guard_lost when it refuses.
  Step<Json> ask_guard(std::string_view method, Json params = {});
  // The session has ended: the browser leaves unanswered what was sent to it, which is refused hereby.
  void ended(std::string_view session);
  // Reads what has come, if anything, until `until`; calls the listener.
  Step<void> poll(Clock::time_point until);
  // Handles what the browser has just sent.
  Step<void> pump();
  Channel& channel() { return channel_; }

 private:
  Step<Bytes> http(std::string_view request, bool upgrade);
  void queue(Opcode opcode, ByteView payload);
  Step<Id> write_past_guard(SecretFrame& frame, std::string_view session);
  void feed();
  Step<void> flush();
  Step<void> deliver();
  bool take_message(std::string_view text);

  Channel& channel_;
  bool guarded_;
  std::vector<Listener> listeners_;
  MessageReader reader_;
  ZeroEndedReader stream_;
  Bytes in_, out_;
  Id next_;
  std::map<Id, Reply> replies_;
  std::map<Id, std::string> unanswered_;  // and the session that each was sent to
};

}  // namespace popvault::injector
