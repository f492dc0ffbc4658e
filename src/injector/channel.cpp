#include "injector/channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace popvault::injector {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;

int milliseconds_to(Clock::time_point until) {
  if (until == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

}  // namespace

Step<Channel::Who> Channel::wait(bool expect_control, Clock::time_point until) {
  while (true) {
    std::array<pollfd, 2> watched{{{browser_, POLLIN, 0}, {listen_ ? control_ : -1, POLLIN, 0}}};
    const int n = poll(watched.data(), watched.size(), milliseconds_to(std::min(until, deadline_)));
    if (n < 0 && errno != EINTR) return stop(Outcome::failed);
    const Who who{.control = watched[1].revents != 0, .browser = watched[0].revents != 0};
    // Nothing may come from the daemon now: it hung up, or it broke the order.
    if (n > 0 && who.control && !expect_control) return stop(Outcome::stopped);
    if (n > 0) return who;
    if (Clock::now() >= deadline_) return stop(Outcome::timeout);
    if (Clock::now() >= until) return Who{};
  }
}

Step<void> Channel::still_wanted() {
  if (Clock::now() >= deadline_) return stop(Outcome::timeout);
  pollfd watched{listen_ ? control_ : -1, POLLIN | POLLRDHUP, 0};
  int n = -1;
  do n = poll(&watched, 1, 0);
  while (n < 0 && errno == EINTR);
  if (n != 0) return stop(n > 0 ? Outcome::stopped : Outcome::failed);
  return {};
}

Step<ControlMessage> Channel::take_control() {
  ControlMessage out;
  out.bytes.resize(kMaxControl);
  iovec part{out.bytes.data(), out.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> extra{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = extra.data();
  message.msg_controllen = extra.size();
  ssize_t size = -1;
  do size = recvmsg(control_, &message, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); size >= 0 && at != nullptr; at = CMSG_NXTHDR(&message, at))
    if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_RIGHTS && at->cmsg_len == CMSG_LEN(sizeof(int)))
      std::memcpy(&out.descriptor, CMSG_DATA(at), sizeof(int));
  if (size <= 0) return stop(Outcome::stopped);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    if (out.descriptor >= 0) close(out.descriptor);
    return stop(Outcome::failed);
  }
  out.bytes.resize(static_cast<std::size_t>(size));
  return out;
}

bool Channel::send(ByteView message) noexcept {
  // sendmsg, as the filter allows no send().
  iovec part{const_cast<std::uint8_t*>(message.data()), message.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  ssize_t size = -1;
  do size = sendmsg(control_, &header, MSG_NOSIGNAL);
  while (size < 0 && errno == EINTR);
  return size == static_cast<ssize_t>(message.size());
}

Step<void> Channel::read_browser(Bytes& out, Clock::time_point until) {
  const auto who = wait(false, until);
  if (!who) return tl::unexpected(who.error());
  return who->browser ? read_ready(out) : Step<void>{};
}

Step<void> Channel::read_ready(Bytes& out) {
  const std::size_t before = out.size();
  out.resize(before + kReadSize);
  ssize_t size = -1;
  do size = read(browser_, out.data() + before, kReadSize);
  while (size < 0 && errno == EINTR);
  out.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size == 0 || (size < 0 && errno != EAGAIN)) return stop(lost_);
  return {};
}

Step<void> Channel::write_to(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      pollfd writable{fd, POLLOUT, 0};
      if (poll(&writable, 1, milliseconds_to(deadline_)) > 0) continue;
      return stop(Outcome::timeout);
    }
    return stop(lost_);
  }
  return {};
}

}  // namespace popvault::injector
