// Commands to the browser and their answers: the Chrome DevTools Protocol over one WebSocket.
//
// Commands are numbered and may be sent many at a time; nothing goes out before the first wait. Answers are kept
// until asked for. Events go to one listener, called while waiting. No secret passes through send(): those
// commands are built as a SecretFrame.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "injector/channel.hpp"
#include "injector/secret_frame.hpp"
#include "injector/websocket.hpp"
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

  explicit Cdp(Channel& channel) : channel_(channel) {}

  // Asks for the browser's WebSocket and upgrades the connection to it. Fails with browser_unreachable.
  Step<void> open();
  void listen(std::function<void(const Event&)> listener) { listener_ = std::move(listener); }

  // `session`: empty for the browser itself.
  Id send(std::string_view method, Json params = {}, std::string_view session = {});
  // The start of a command that will carry secrets: {"id":..,"sessionId":..,"method":..,"params":
  // The caller adds the params and the closing brace, and hands the frame to send_secret.
  Id begin_secret(SecretFrame& frame, std::string_view method, std::string_view session);
  Step<void> send_secret(SecretFrame& frame);

  Step<Reply> wait(Id id);
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
  Step<void> flush();
  Step<void> deliver();
  bool take_message(std::string_view text);

  Channel& channel_;
  std::function<void(const Event&)> listener_ = [](const Event&) {};
  MessageReader reader_;
  Bytes in_, out_;
  Id next_ = 0;
  std::map<Id, Reply> replies_;
  std::map<Id, std::string> unanswered_;  // and the session that each was sent to
};

}  // namespace popvault::injector
