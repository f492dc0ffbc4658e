#include "os/hardening.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "os/descriptor.hpp"

namespace popvault {
namespace {

std::string read_proc(const char* path) {
  const Descriptor fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  std::array<char, 4096> text{};
  const ssize_t n = read(fd.get(), text.data(), text.size());
  return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : std::string{};
}

// The identity map of the first user namespace: "0 0 4294967295".
bool initial_namespace() {
  const std::string map = read_proc("/proc/self/uid_map");
  std::string words;
  for (const char c : map) {
    if (c == ' ' || c == '\n' || c == '\t') {
      if (!words.empty() && words.back() != ' ') words.push_back(' ');
    } else {
      words.push_back(c);
    }
  }
  return words == "0 0 4294967295 ";
}

bool program_is_roots_and_unreadable() {
  struct stat st {};
  return stat("/proc/self/exe", &st) == 0 && st.st_uid == 0 && (st.st_mode & 0777) == 0711;
}

}  // namespace

Status forbid_inspection() {
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return fail_errno(errno, "PR_SET_DUMPABLE");
  return {};
}

Status refuse_tracer() {
  const std::string status = read_proc("/proc/self/status");
  const std::size_t at = status.find("\nTracerPid:\t");
  if (at == status.npos) return fail(Errc::unsafe_environment, "/proc does not tell whether a tracer is attached");
  if (std::string_view(status).substr(at + 12, 2) != "0\n") return fail(Errc::unsafe_environment, "a tracer is attached");
  return {};
}

Status refuse_foreign_namespace() {
  if (initial_namespace() || program_is_roots_and_unreadable()) return {};
  return fail(Errc::unsafe_environment, "a user namespace");
}

Status forbid_core_files() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return fail_errno(errno, "RLIMIT_CORE");
  return {};
}

Status forbid_new_privileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "PR_SET_NO_NEW_PRIVS");
  return {};
}

void raise_descriptor_limit() noexcept {
  constexpr rlim_t kWanted = 4096;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kWanted) return;
  limit.rlim_cur = limit.rlim_max < kWanted ? limit.rlim_max : kWanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::size_t descriptor_limit() noexcept {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<std::size_t>(limit.rlim_cur) : 0;
}

void set_private_umask() noexcept { umask(077); }

void clear_environment() noexcept {
  // clearenv() forgets the strings; /proc/PID/environ would still show them.
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
    explicit_bzero(*variable, std::strlen(*variable));
  clearenv();
}

void close_inherited_descriptors(int first) noexcept {
  syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, 0U);
  for (int fd = 0; fd < 3; ++fd) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    // The lowest free number is the one that is missing.
    if (open("/dev/null", O_RDWR) != fd) std::abort();
  }
}

void ignore_file_signals() noexcept {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace popvault
