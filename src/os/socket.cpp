#include "os/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace popvault {

void Descriptor::reset() noexcept {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

namespace {

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return fail(Errc::path_too_long, path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<Descriptor> unix_stream() {
  Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "socket");
  return fd;
}

}  // namespace

Result<Descriptor> connect_unix(const std::string& path) {
  PV_ASSIGN(const sockaddr_un address, address_of(path));
  PV_ASSIGN(Descriptor fd, unix_stream());
  while (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno == ENOENT || errno == ECONNREFUSED) return fail(Errc::daemon_unreachable);
    return fail_errno(errno, "connecting to the daemon's socket");
  }
  return fd;
}

Result<Descriptor> listen_unix(const std::string& path, int backlog) {
  PV_ASSIGN(const sockaddr_un address, address_of(path));
  struct stat st {};
  if (lstat(path.c_str(), &st) == 0) {
    if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid()) return fail(Errc::insecure_file, path);
    unlink(path.c_str());
  }
  PV_ASSIGN(Descriptor fd, unix_stream());
  fchmod(fd.get(), 0600);  // the mode that bind gives the file
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(errno, "binding " + path);
  if (chmod(path.c_str(), 0600) != 0) return fail_errno(errno, "chmod of " + path);
  if (listen(fd.get(), backlog) != 0) return fail_errno(errno, "listening on " + path);
  return fd;
}

Result<std::pair<Descriptor, Descriptor>> packet_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno(errno, "socketpair");
  return std::pair{Descriptor(ends[0]), Descriptor(ends[1])};
}

Result<Descriptor> begin_connect_loopback(bool ipv6, std::uint16_t port) {
  Descriptor fd(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "socket");
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  const auto* address = ipv6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  const socklen_t size = ipv6 ? sizeof v6 : sizeof v4;
  if (connect(fd.get(), address, size) != 0 && errno != EINPROGRESS) return fail(Errc::browser_unreachable);
  return fd;
}

Status finish_connect(int socket) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
    return fail(Errc::browser_unreachable);
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) & ~O_NONBLOCK);
  return {};
}

Result<PeerIdentity> peer_identity(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return fail_errno(errno, "SO_PEERCRED");
  PeerIdentity out{credentials.uid, credentials.gid, credentials.pid, {}};
  std::array<char, 512> target{};
  const std::string link = "/proc/" + std::to_string(credentials.pid) + "/exe";
  const ssize_t n = readlink(link.c_str(), target.data(), target.size());
  if (n > 0) out.executable.assign(target.data(), static_cast<std::size_t>(n));
  return out;
}

Result<ReceiveResult> receive(int socket, std::span<std::uint8_t> into) {
  iovec part{into.data(), into.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxPassedDescriptors)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t n = 0;
  do {
    n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  ReceiveResult out;
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    out.would_block = true;
    return out;
  }
  if (n < 0 && errno == ECONNRESET) n = 0;
  if (n < 0) return fail_errno(errno, "recvmsg");
  out.data.size = static_cast<std::size_t>(n);
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      out.data.descriptors.emplace_back(fd);
    }
  }
  return out;
}

Result<std::size_t> send_some(int socket, ByteView bytes, std::span<const int> descriptors) {
  if (descriptors.size() > kMaxPassedDescriptors) return fail(Errc::internal, "too many descriptors");
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxPassedDescriptors)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size_bytes());
  }
  while (true) {
    const ssize_t n = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
    return fail_errno(errno, "sendmsg");
  }
}

void shutdown_write(int socket) noexcept { shutdown(socket, SHUT_WR); }

Status send_all(int socket, ByteView bytes, std::span<const int> descriptors) {
  while (!bytes.empty()) {
    PV_ASSIGN(const std::size_t n, send_some(socket, bytes, descriptors));
    if (n == 0) {
      pollfd wait{socket, POLLOUT, 0};
      poll(&wait, 1, -1);
      continue;
    }
    descriptors = {};
    bytes = bytes.subspan(n);
  }
  return {};
}

}  // namespace popvault
