#include "os/listener.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

namespace popvault {
namespace {

constexpr std::size_t kMaxArguments = 64 * 1024;

// One line of /proc/net/tcp or tcp6 (linux/Documentation/networking/proc_net_tcp.rst).
struct Line {
  std::string address;
  unsigned port = 0;
  unsigned state = 0;
  uid_t uid = 0;
  std::uint64_t inode = 0;
};

bool parse(const std::string& text, Line& out) {
  std::istringstream in(text);
  std::string slot, local, remote, state, queues, timer, retransmits;
  unsigned timeout = 0;
  if (!(in >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> out.uid >> timeout >> out.inode))
    return false;
  const std::size_t colon = local.find(':');
  if (colon == local.npos) return false;
  out.address = local.substr(0, colon);
  out.port = static_cast<unsigned>(std::strtoul(local.c_str() + colon + 1, nullptr, 16));
  out.state = static_cast<unsigned>(std::strtoul(state.c_str(), nullptr, 16));
  return true;
}

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;
Directory open_directory(const std::string& path) { return {opendir(path.c_str()), closedir}; }

bool holds(pid_t pid, const std::string& wanted) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  const Directory dir = open_directory(folder);
  if (!dir) return false;
  std::array<char, 64> target{};
  while (const dirent* entry = readdir(dir.get())) {
    const ssize_t n = readlinkat(dirfd(dir.get()), entry->d_name, target.data(), target.size());
    if (n > 0 && std::string_view(target.data(), static_cast<std::size_t>(n)) == wanted) return true;
  }
  return false;
}

ListenerProcess describe(pid_t pid) {
  ListenerProcess out{pid, {}, {}};
  const std::string folder = "/proc/" + std::to_string(pid);
  std::array<char, 512> target{};
  const ssize_t n = readlink((folder + "/exe").c_str(), target.data(), target.size());
  if (n > 0) out.executable.assign(target.data(), static_cast<std::size_t>(n));
  std::ifstream in(folder + "/cmdline", std::ios::binary);
  std::string argument;
  std::size_t total = 0;
  // Chromium shows its arguments separated by spaces once it has set its title.
  while (std::getline(in, argument, '\0') && (total += argument.size()) < kMaxArguments) {
    std::istringstream words(argument);
    std::string word;
    while (words >> word) out.arguments.push_back(word);
  }
  return out;
}

}  // namespace

Result<Listener> find_listener(bool ipv6, std::uint16_t port) {
  std::ifstream in(ipv6 ? "/proc/net/tcp6" : "/proc/net/tcp");
  constexpr unsigned kListen = 0x0A;
  const std::string_view loopback = ipv6 ? "00000000000000000000000001000000" : "0100007F";
  const std::string_view any = ipv6 ? "00000000000000000000000000000000" : "00000000";
  std::optional<Listener> everywhere;
  std::string text;
  std::getline(in, text);
  while (std::getline(in, text)) {
    Line line;
    if (!parse(text, line) || line.state != kListen || line.port != port) continue;
    // The kernel gives a connection to the exact address before the one for all.
    if (line.address == loopback) return Listener{line.uid, line.inode, true};
    if (line.address == any) everywhere = Listener{line.uid, line.inode, false};
  }
  if (everywhere) return *everywhere;
  return fail(Errc::browser_unreachable);
}

Result<ListenerProcess> find_listener_process(std::uint64_t inode, pid_t hint) {
  const std::string wanted = "socket:[" + std::to_string(inode) + "]";
  if (hint != 0 && holds(hint, wanted)) return describe(hint);
  const Directory proc = open_directory("/proc");
  while (const dirent* entry = proc ? readdir(proc.get()) : nullptr) {
    const long pid = std::strtol(entry->d_name, nullptr, 10);
    if (pid > 0 && holds(static_cast<pid_t>(pid), wanted)) return describe(static_cast<pid_t>(pid));
  }
  return fail(Errc::browser_refused, "no process of this user holds the port");
}

}  // namespace popvault
