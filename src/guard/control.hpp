// The daemon's end of descriptor 3 (rpc/guard_protocol.hpp), read and answered. Descriptors of Opened go with its message.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "guard/loop.hpp"
#include "os/descriptor.hpp"

namespace popvault::guard {

class Control {
 public:
  // `closed`: the pair is closed or spoke nonsense; nothing is called after it.
  Control(Loop& loop, Descriptor channel, std::function<void(ByteView)> message, std::function<void()> closed);
  // False when the daemon does not take it.
  bool send(ByteView message, const std::vector<int>& descriptors = {});

 private:
  void read();

  Descriptor channel_;
  std::function<void(ByteView)> message_;
  std::function<void()> closed_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace popvault::guard
