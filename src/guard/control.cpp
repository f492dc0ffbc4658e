#include "guard/control.hpp"

#include <fcntl.h>

#include "os/socket.hpp"
#include "rpc/guard_protocol.hpp"

namespace popvault::guard {

Control::Control(Loop& loop, Descriptor channel, std::function<void(ByteView)> message, std::function<void()> closed)
    : channel_(std::move(channel)), message_(std::move(message)), closed_(std::move(closed)) {
  fcntl(channel_.get(), F_SETFL, fcntl(channel_.get(), F_GETFL) | O_NONBLOCK);
  watch_ = loop.watch(channel_.get(), [this] { read(); });
}

void Control::read() {
  Bytes buffer(kMaxControl + 1);
  const auto got = receive(channel_.get(), buffer);
  if (got && got->would_block) return;
  if (!got || got->data.size == 0 || got->data.size > kMaxControl || !got->data.descriptors.empty()) {
    watch_.reset();
    return closed_();
  }
  message_(ByteView(buffer).first(got->data.size));
}

bool Control::send(ByteView message, const std::vector<int>& descriptors) {
  const auto sent = send_some(channel_.get(), message, descriptors);
  return sent && *sent == message.size();
}

}  // namespace popvault::guard
