// The one pipe to the browser: every command goes out under an id of ours, every answer comes back to who asked.
//
// Commands of clients carry a Caller that gets the answer; the guard's own take a function. A Caller that is gone is
// forgotten with forget(): its late answers are dropped.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "guard/cdp_message.hpp"
#include "guard/message_stream.hpp"
#include "rpc/json.hpp"

namespace popvault::guard {

// What waits for an answer. `answer` is called once, or never when it was forgotten.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual void answer(std::int64_t id, const CdpMessage& message) = 0;
};

class BrowserLink {
 public:
  struct Handlers {
    std::function<void(const CdpMessage&)> event;
    std::function<void()> closed;
    std::function<void()> drained;
  };
  BrowserLink(Loop& loop, Descriptor commands, Descriptor answers, Handlers handlers);

  // `id` is what the caller knows the command by; gives the id on the pipe.
  std::int64_t forward(Caller& caller, std::int64_t id, std::string_view method, std::string_view params, std::string_view session);
  using Reply = std::function<void(const Json& result, bool ok)>;
  // The guard's own command; `reply` may be empty.
  void call(std::string_view method, const Json& params, std::string_view session, Reply reply = {});
  // A fresh id for a message that somebody else writes into the pipe.
  std::int64_t expect(Caller& caller);
  void forget(const Caller& caller);
  // Answers to these are dropped from now on; gives the caller's ids.
  std::vector<std::int64_t> forget(const Caller& caller, std::string_view session);

  MessageStream& stream() noexcept { return stream_; }

 private:
  struct Waiting {
    Caller* caller = nullptr;
    std::int64_t id = 0;
    std::string session;
    Reply reply;
  };
  void take(std::string_view text);

  Handlers handlers_;
  MessageStream stream_;
  std::unordered_map<std::int64_t, Waiting> waiting_;
  std::int64_t last_id_ = 0;
};

}  // namespace popvault::guard
