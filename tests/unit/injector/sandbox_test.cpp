// The filter of the injector, tried from inside: each forbidden call must end the child by SIGSYS, and a child that
// makes only allowed calls must live. Without the filter the same calls must not end it, else the test shows nothing.
#include "injector/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include "injector/websocket.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::injector {
namespace {

// How a child ended that did `act`, with or without the filter: its signal, or 0.
template <class Act>
int signal_of(bool filtered, Act act) {
  const pid_t child = fork();
  if (child == 0) {
    forbid_core();
    forbid_new_privileges();
    if (filtered && !install_filter()) _exit(77);
    act();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 77) << "no filter";
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void connect_somewhere(int fd) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

void run_program() {
  char name[] = "/bin/true";
  char* const arguments[] = {name, nullptr};
  execve(name, arguments, nullptr);
}

struct Forbidden {
  const char* name;
  void (*act)();
};

const Forbidden kForbidden[] = {
    {"socket", [] { (void)socket(AF_INET, SOCK_STREAM, 0); }},
    {"connect", [] { connect_somewhere(4); }},
    {"execve", [] { run_program(); }},
    {"fork", [] { (void)syscall(SYS_fork); }},
    {"ptrace", [] { (void)ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
    {"clone", [] { (void)fork(); }},
    {"clone3", [] { (void)syscall(SYS_clone3, nullptr, 0); }},
    {"memfd_secret", [] { (void)syscall(447, 0); }},
    {"process_vm_readv", [] { (void)syscall(SYS_process_vm_readv, getppid(), nullptr, 0, nullptr, 0, 0); }},
    {"kill", [] { (void)kill(1, 0); }},
    {"dup", [] { (void)!dup(1); }},
    {"send on the browser's socket by sendmsg", [] { msghdr m{}; (void)sendmsg(4, &m, 0); }},
    {"fcntl(F_DUPFD)", [] { (void)fcntl(1, F_DUPFD, 9); }},
};

#ifndef POPVAULT_SANITIZED
// The runtime of the sanitizers needs these; see allow_sanitizer_runtime.
const Forbidden kForbiddenInProduct[] = {
    {"open", [] { (void)open("/etc/passwd", O_RDONLY); }},
    {"write elsewhere", [] { (void)!write(7, "x", 1); }},
    {"executable memory", [] { (void)mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
    {"open (old call)", [] { (void)syscall(SYS_open, "/etc/passwd", O_RDONLY); }},
    {"stat of a path", [] { (void)syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", nullptr, 0); }},
    {"prlimit", [] { rlimit limit{}; (void)getrlimit(RLIMIT_CORE, &limit); }},
};
#endif

void expect_fatal(std::span<const Forbidden> calls) {
  for (const Forbidden& call : calls) {
    EXPECT_EQ(signal_of(true, call.act), SIGSYS) << call.name;
    EXPECT_EQ(signal_of(false, call.act), 0) << call.name << " without the filter";
  }
}

TEST(Filter, ForbiddenCallsAreFatal) { expect_fatal(kForbidden); }

#ifndef POPVAULT_SANITIZED
TEST(Filter, WhatOnlyTheSanitizersNeedIsFatal) { expect_fatal(kForbiddenInProduct); }
#endif

TEST(Filter, WhatTheWorkNeedsIsAllowed) {
  EXPECT_EQ(signal_of(true,
                      [] {
                        (void)fresh_mask();
                        pollfd one{0, POLLIN, 0};
                        (void)poll(&one, 1, 0);
                        timespec now{};
                        clock_gettime(CLOCK_MONOTONIC, &now);
                        std::vector<std::uint8_t> big(8 << 20);
                        big[5] = 1;
                        void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                        munmap(page, 4096);
                        (void)!write(2, "", 0);
                      }),
            0);
}

TEST(Filter, TheBrowsersPipeIsWritableOnlyWhenThereIsOne) {
  const auto write_pipe = [](bool pipe) {
    return signal_of(false, [pipe] {
      if (!install_filter(pipe)) _exit(77);
      (void)!write(5, "", 0);
    });
  };
  EXPECT_EQ(write_pipe(true), 0);
#ifndef POPVAULT_SANITIZED
  EXPECT_EQ(write_pipe(false), SIGSYS);
#endif
}

TEST(Process, KnowsTheBrowsersPipe) {
  EXPECT_EQ(signal_of(false,
                      [] {
                        int ends[2];
                        if (pipe(ends) != 0) _exit(77);
                        for (int& end : ends) end = fcntl(end, F_DUPFD, 50);  // whatever was open before
                        close(5);
                        const bool none = has_browser_pipe();
                        dup2(ends[0], 5);
                        const bool read_end = has_browser_pipe();
                        dup2(ends[1], 5);
                        const bool write_end = has_browser_pipe();
                        dup2(ends[0], 40);
                        const bool kept = close_other_descriptors(true) && fcntl(5, F_GETFD) != -1 && fcntl(40, F_GETFD) == -1;
                        if (none || read_end || !write_end || !kept) std::abort();
                      }),
            0);
}

TEST(Filter, SecretMemoryMadeBeforeIsUsableAfter) {
  EXPECT_EQ(signal_of(false,
                      [] {
                        reserve_secret_memory();
                        if (!install_filter()) _exit(77);
                        for (int i = 0; i < 100; ++i) SecretBytes::zeros(20'000).reset();
                      }),
            0);
}

TEST(Process, GivesUpWhatItNamed) {
  EXPECT_EQ(signal_of(false,
                      [] {
                        setenv("PLANTED", "1", 1);
                        clear_environment();
                        const int open_one = dup2(0, 40);
                        rlimit core{};
                        const bool ok = make_undumpable() && forbid_core() && forbid_new_privileges() && refuse_tracer() &&
                                        close_other_descriptors(false) && getenv("PLANTED") == nullptr && open_one == 40 &&
                                        fcntl(40, F_GETFD) == -1 && getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0;
                        if (!ok) std::abort();
                      }),
            0);
}

TEST(Process, ATracerIsRefused) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    _exit(refuse_tracer() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "a traced process did not see its tracer";
}

}  // namespace
}  // namespace popvault::injector
