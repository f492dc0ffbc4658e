// Unix sockets: addresses, peers, descriptors that travel with bytes.
//
// Every descriptor made here is close-on-exec. Paths over 107 bytes (sockaddr_un, unix(7)) are path_too_long.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "os/descriptor.hpp"

namespace popvault {

struct PeerIdentity {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = 0;
  std::string executable;  // a label for people, never a decision: a peer can lie about it
};

// Connect to a stream socket. Nobody listening is daemon_unreachable.
Result<Descriptor> connect_unix(const std::string& path);
// Bind (0600) and listen; a socket file that nobody listens on is removed first. The caller holds the home's
// lock file, so nobody else of ours is using it.
Result<Descriptor> listen_unix(const std::string& path, int backlog);
// A connected pair of SEQPACKET sockets.
Result<std::pair<Descriptor, Descriptor>> packet_pair();
// Begins to connect to a loopback TCP address ("127.0.0.1" or "::1") without waiting; when the socket can be
// written, finish_connect tells how it went and makes it blocking. Both fail with browser_unreachable.
Result<Descriptor> begin_connect_loopback(bool ipv6, std::uint16_t port);
Status finish_connect(int socket);

Result<PeerIdentity> peer_identity(int socket);

constexpr std::size_t kMaxPassedDescriptors = 4;

struct Received {
  std::size_t size = 0;  // 0: the peer closed
  std::vector<Descriptor> descriptors;
};
// One recvmsg. A would-block is reported as `would_block`, which is no error.
struct ReceiveResult {
  bool would_block = false;
  Received data;
};
Result<ReceiveResult> receive(int socket, std::span<std::uint8_t> into);
// One sendmsg with MSG_NOSIGNAL; gives the number of bytes taken (0 when it would block). The descriptors
// go with the first byte.
Result<std::size_t> send_some(int socket, ByteView bytes, std::span<const int> descriptors = {});
// The peer reads the end; what it sends still arrives.
void shutdown_write(int socket) noexcept;
// All of it, blocking.
Status send_all(int socket, ByteView bytes, std::span<const int> descriptors = {});

}  // namespace popvault
