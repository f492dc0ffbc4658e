#include "os/spawner.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <map>

#include "os/socket.hpp"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // linux/include/uapi/linux/memfd.h, since 6.3
#endif

namespace popvault {
namespace {

enum class Order : std::uint8_t { spawn = 1, kill = 2, spawn_guard = 3 };

struct Programs {
  int injector, guard;
};

using Children = std::map<pid_t, Descriptor>;  // pid -> pidfd

// In the child: 0 /dev/null, 1 and 2 the log, the others from 3 on; then it becomes the program. Only calls that are safe
// after fork.
[[noreturn]] void become(int program, const char* name, int log, const int* others, int count) {
  constexpr int kHigh = 64;
  constexpr int kMost = 3;
  int high[kMost] = {-1, -1, -1};
  log = fcntl(log, F_DUPFD, kHigh);
  for (int i = 0; i < count; ++i) high[i] = fcntl(others[i], F_DUPFD, kHigh);
  program = fcntl(program, F_DUPFD_CLOEXEC, kHigh);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) _exit(126);
  syscall(SYS_close_range, 3U, static_cast<unsigned>(kHigh - 1), 0U);
  for (int i = 0; i < count; ++i)
    if (dup2(high[i], 3 + i) < 0) _exit(126);
  syscall(SYS_close_range, static_cast<unsigned>(3 + count), ~0U, static_cast<unsigned>(CLOSE_RANGE_CLOEXEC));
  for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGPIPE}) std::signal(number, SIG_DFL);
  const char* const arguments[] = {name, nullptr};
  char* const environment[] = {nullptr};
  syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
  _exit(127);
}

// The first descriptor is the log.
std::int32_t spawn_child(int program, const char* name, const Received& message, Children& children) {
  const std::size_t count = message.descriptors.size();
  if (count < 2 || count > 4) return -EINVAL;
  const pid_t pid = fork();
  if (pid < 0) return -errno;
  if (pid == 0) {
    int others[3] = {-1, -1, -1};
    for (std::size_t i = 1; i < count; ++i) others[i - 1] = message.descriptors[i].get();
    become(program, name, message.descriptors[0].get(), others, static_cast<int>(count) - 1);
  }
  children.insert_or_assign(pid, Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))));
  return pid;
}

void kill_child(pid_t pid, const Children& children) {
  const auto at = children.find(pid);
  if (at != children.end() && at->second) syscall(SYS_pidfd_send_signal, at->second.get(), SIGKILL, nullptr, 0);
}

void forget_ended(Children& children) {
  for (auto at = children.begin(); at != children.end();) {
    const bool ended = !at->second || syscall(SYS_pidfd_send_signal, at->second.get(), 0, nullptr, 0) != 0;
    at = ended ? children.erase(at) : std::next(at);
  }
}

// Keeps 0, 1, 2 and these three: a lock or a socket of the daemon must not live on here after it has ended.
[[noreturn]] void serve(int daemon_channel, Programs sealed) {
  constexpr int kHigh = 64;
  const int high_channel = fcntl(daemon_channel, F_DUPFD_CLOEXEC, kHigh);
  const int high_injector = fcntl(sealed.injector, F_DUPFD_CLOEXEC, kHigh);
  const int high_guard = fcntl(sealed.guard, F_DUPFD_CLOEXEC, kHigh);
  const int channel = dup3(high_channel, 3, O_CLOEXEC);
  const Programs programs{dup3(high_injector, 4, O_CLOEXEC), dup3(high_guard, 5, O_CLOEXEC)};
  if (channel != 3 || programs.injector != 4 || programs.guard != 5) _exit(126);
  syscall(SYS_close_range, 6U, ~0U, 0U);
  // Children are never waited for: the kernel drops them when they end.
  std::signal(SIGCHLD, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  prctl(PR_SET_NAME, "popvault-spawn");
  Children children;
  std::array<std::uint8_t, 8> buffer{};
  while (true) {
    auto got = receive(channel, buffer);
    if (!got || got->data.size == 0) break;
    forget_ended(children);
    ByteReader in(ByteView(buffer).first(got->data.size));
    const auto order = in.u8();
    const auto pid = in.u32();
    if (!pid || !in.done()) break;
    if (*order == static_cast<std::uint8_t>(Order::kill)) {
      kill_child(static_cast<pid_t>(*pid), children);
      continue;
    }
    const bool guard = *order == static_cast<std::uint8_t>(Order::spawn_guard);
    const std::int32_t answer = guard ? spawn_child(programs.guard, "popvault-browser", got->data, children)
                                      : spawn_child(programs.injector, "popvault-injector", got->data, children);
    ByteWriter out;
    if (!send_all(channel, out.u32(static_cast<std::uint32_t>(answer)).bytes())) break;
  }
  for (const auto& child : children) kill_child(child.first, children);
  _exit(0);
}

}  // namespace

Result<Descriptor> sealed_copy(const std::string& program) {
  const Descriptor from(open(program.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat st {};
  if (!from || fstat(from.get(), &st) != 0) return fail_errno(errno, "opening " + program);
  if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0)
    return fail(Errc::insecure_file, program);
  const std::string name = program.substr(program.rfind('/') + 1);
  int fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (fd < 0) fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  Descriptor copy(fd);
  if (!copy) return fail_errno(errno, "memfd_create");
  off_t at = 0;
  while (at < st.st_size)
    if (sendfile(copy.get(), from.get(), &at, static_cast<std::size_t>(st.st_size - at)) <= 0)
      return fail_errno(errno, "copying " + program);
  if (fchmod(copy.get(), 0111) != 0) return fail_errno(errno, "fchmod");
  if (fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return fail_errno(errno, "sealing " + name);
  return copy;
}

Result<Spawner> Spawner::start(Descriptor sealed_injector, Descriptor sealed_guard) {
  PV_ASSIGN(auto ends, packet_pair());
  const pid_t pid = fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) {
    ends.first.reset();
    serve(ends.second.get(), {sealed_injector.get(), sealed_guard.get()});
  }
  return Spawner(std::move(ends.first));
}

Result<pid_t> Spawner::order(std::uint8_t what, std::span<const int> descriptors) {
  ByteWriter message;
  message.u8(what).u32(0);
  PV_TRY(send_all(channel_.get(), message.bytes(), descriptors));
  std::array<std::uint8_t, 8> buffer{};
  PV_ASSIGN(const ReceiveResult got, receive(channel_.get(), buffer));
  ByteReader in(ByteView(buffer).first(got.data.size));
  const auto answer = in.u32();
  if (!answer) return fail(Errc::injector_failed, "the spawner is gone");
  const auto pid = static_cast<std::int32_t>(*answer);
  if (pid <= 0) return fail_errno(-pid, "starting a program");
  return static_cast<pid_t>(pid);
}

Result<pid_t> Spawner::spawn(int log, int control, int browser, int pipe) {
  const int descriptors[] = {log, control, browser, pipe};
  return order(static_cast<std::uint8_t>(Order::spawn), std::span(descriptors).first(pipe < 0 ? 3 : 4));
}

Result<pid_t> Spawner::spawn_guard(int log, int control) {
  const int descriptors[] = {log, control};
  return order(static_cast<std::uint8_t>(Order::spawn_guard), descriptors);
}

void Spawner::kill(pid_t child) {
  ByteWriter order;
  order.u8(static_cast<std::uint8_t>(Order::kill)).u32(static_cast<std::uint32_t>(child));
  (void)send_all(channel_.get(), order.bytes());
}

}  // namespace popvault
