#include "injector/sandbox.hpp"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "secret/secret_bytes.hpp"

namespace popvault::injector {
namespace {

constexpr unsigned kControl = 3;
constexpr unsigned kBrowser = 4;
constexpr unsigned kPipe = 5;

// libseccomp's own SCMP_A0... are compound literals, which C++ does not have.
scmp_arg_cmp when(unsigned argument, scmp_compare how, scmp_datum_t a, scmp_datum_t b = 0) {
  return {argument, how, a, b};
}

bool allow(scmp_filter_ctx filter, int call) {
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
}

bool allow_if(scmp_filter_ctx filter, int call, scmp_arg_cmp condition) {
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, condition) == 0;
}

bool allow_descriptors(scmp_filter_ctx filter, bool pipe) {
  bool ok = allow(filter, SCMP_SYS(close)) && allow(filter, SCMP_SYS(poll)) && allow(filter, SCMP_SYS(ppoll));
  // Reading: the control channel, the browser, and a bundle that came as a pipe (its number is above).
  ok = ok && allow_if(filter, SCMP_SYS(read), when(0, SCMP_CMP_GE, kControl));
  for (unsigned fd = 1; fd <= (pipe ? kPipe : kBrowser); ++fd)
    ok = ok && allow_if(filter, SCMP_SYS(write), when(0, SCMP_CMP_EQ, fd));
  ok = ok && allow_if(filter, SCMP_SYS(recvmsg), when(0, SCMP_CMP_EQ, kControl));
  ok = ok && allow_if(filter, SCMP_SYS(sendmsg), when(0, SCMP_CMP_EQ, kControl));
  // What a received descriptor is, and that a pipe must not hold us.
  for (const int call : {SCMP_SYS(fstat), SCMP_SYS(fstatfs)}) ok = ok && allow(filter, call);
  // glibc's fstat() is newfstatat with an empty path; no other path can be meant, as nothing opens its result.
  ok = ok && allow_if(filter, SCMP_SYS(newfstatat), when(3, SCMP_CMP_EQ, AT_EMPTY_PATH));
  for (const unsigned command : {F_GETFL, F_SETFL})
    ok = ok && allow_if(filter, SCMP_SYS(fcntl), when(1, SCMP_CMP_EQ, command));
  return ok;
}

bool allow_memory(scmp_filter_ctx filter) {
  const scmp_arg_cmp not_executable = when(2, SCMP_CMP_MASKED_EQ, PROT_EXEC);
  bool ok = allow_if(filter, SCMP_SYS(mmap), not_executable) &&
            allow_if(filter, SCMP_SYS(mprotect), not_executable);
  for (const int call : {SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk)})
    ok = ok && allow(filter, call);
  return ok;
}

bool allow_rest(scmp_filter_ctx filter) {
  bool ok = true;
  for (const int call :
       {SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
        SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn)})
    ok = ok && allow(filter, call);
  return ok;
}

#ifdef POPVAULT_SANITIZED
// What the sanitizers need to write a report. No product is built so.
bool allow_sanitizer_runtime(scmp_filter_ctx filter) {
  bool ok = true;
  for (const int call :
       {SCMP_SYS(openat),       SCMP_SYS(read),           SCMP_SYS(write),       SCMP_SYS(mmap),
        SCMP_SYS(mprotect),     SCMP_SYS(readlink),       SCMP_SYS(readlinkat),  SCMP_SYS(sigaltstack),
        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(gettid),      SCMP_SYS(getpid),
        SCMP_SYS(tgkill),       SCMP_SYS(prctl),          SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
        SCMP_SYS(getrlimit),    SCMP_SYS(prlimit64),      SCMP_SYS(getdents64),  SCMP_SYS(lseek),
        SCMP_SYS(stat),         SCMP_SYS(ioctl),          SCMP_SYS(getuid),      SCMP_SYS(munlock),
        SCMP_SYS(mlock),        SCMP_SYS(nanosleep)})
    ok = ok && allow(filter, call);
  return ok;
}
#else
bool allow_sanitizer_runtime(scmp_filter_ctx) { return true; }
#endif

}  // namespace

void clear_environment() noexcept { clearenv(); }
bool make_undumpable() noexcept {
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool forbid_core() noexcept {
  const rlimit none{0, 0};
  return setrlimit(RLIMIT_CORE, &none) == 0;
}

bool forbid_new_privileges() noexcept { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0; }

bool refuse_tracer() noexcept {
  const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[4096];
  const ssize_t size = read(fd, text, sizeof text);
  close(fd);
  if (size <= 0) return false;
  return std::string_view(text, static_cast<std::size_t>(size)).find("\nTracerPid:\t0\n") !=
         std::string_view::npos;
}

bool has_browser_pipe() noexcept {
  struct stat st {};
  const int flags = fcntl(kPipe, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fstat(kPipe, &st) == 0 &&
         (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

bool close_other_descriptors(bool pipe) noexcept {
  const unsigned first = (pipe ? kPipe : kBrowser) + 1;
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return true;
  const long limit = sysconf(_SC_OPEN_MAX);  // kernels before 5.9
  for (int fd = static_cast<int>(first); fd < limit; ++fd) close(fd);
  return true;
}

void reserve_secret_memory() { SecretBytes::zeros(1).reset(); }

bool install_filter(bool pipe) noexcept {
  // A write to a browser that went away is an error to handle, not a death.
  std::signal(SIGPIPE, SIG_IGN);
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == nullptr) return false;
  const bool ok = allow_descriptors(filter, pipe) && allow_memory(filter) && allow_rest(filter) &&
                  allow_sanitizer_runtime(filter) && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
}

}  // namespace popvault::injector
