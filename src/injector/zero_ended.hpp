// Messages that end with a zero byte, as on Chromium's pipe and on the guard's stream.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace popvault::injector {

// Puts messages together out of a byte stream. One that is empty or over websocket.hpp's kMaxMessage fails the stream.
class ZeroEndedReader {
 public:
  void feed(ByteView data) { buffer_.insert(buffer_.end(), data.begin(), data.end()); }
  // The next whole message; none when more bytes are needed or failed().
  std::optional<std::string> next();
  bool failed() const noexcept { return failed_; }

 private:
  Bytes buffer_;
  std::size_t at_ = 0;    // bytes of buffer_ that were used
  std::size_t seen_ = 0;  // and up to where no zero byte stands after that
  bool failed_ = false;
};

}  // namespace popvault::injector
