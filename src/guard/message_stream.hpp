// CDP as on Chromium's pipe: JSON messages, each ended by a zero byte, over two descriptors (or one socket).
//
// Descriptors are made non-blocking here. Messages are handed out as spans that live for the call; the callbacks may
// destroy the stream. What does not fit is queued: the user looks at queued() and stops asking for more. A message over the
// limit, an error or the end of the input closes: `closed` is called once, nothing after it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "guard/loop.hpp"
#include "os/descriptor.hpp"

namespace popvault::guard {

class MessageStream {
 public:
  struct Handlers {
    std::function<void(std::string_view)> message;
    std::function<void()> closed;
    std::function<void()> drained;  // the queue is empty again
  };
  // `out` may be closed (none) when `in` is a socket.
  MessageStream(Loop& loop, Descriptor in, Descriptor out, std::size_t max_message, Handlers handlers);
  ~MessageStream();
  MessageStream(const MessageStream&) = delete;
  MessageStream& operator=(const MessageStream&) = delete;

  void send(std::string message);
  std::size_t queued() const noexcept { return queued_; }
  // What was sent so far is written, then `written` is called and nothing more goes out before release().
  void hold(std::function<void()> written);
  // `cut`: somebody else may have written half a message; a zero byte ends it.
  void release(bool cut);
  void pause_reading();
  void resume_reading();
  int out_descriptor() const noexcept { return out_ ? out_.get() : in_.get(); }

 private:
  void read();
  void write();
  void close();

  Descriptor in_, out_;
  Handlers handlers_;
  std::size_t max_message_;
  std::string buffer_;
  std::size_t searched_ = 0;
  std::deque<std::string> queue_, held_;
  std::size_t queued_ = 0, written_ = 0;
  bool holding_ = false, waiting_ = false, closed_ = false;
  std::function<void()> on_written_;
  std::unique_ptr<Watch> read_watch_, write_watch_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace popvault::guard
