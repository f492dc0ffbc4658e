// fault_stepper N PROGRAM [ARGUMENT...]
//
// Runs a program and kills it (SIGKILL) at the N-th system call stop after it made the mark personality(MARK). An
// entry and an exit are each a stop, so a kill falls before a call has done anything and after it has done all. N
// counts from 1; 0 kills never. Prints "killed at <call>" or "ended <status> <stops>".
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr unsigned long kMark = 0x706f7076;
constexpr int kSyscallStop = SIGTRAP | 0x80;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(3);
}

void run_traced(char** argv) {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) die("PTRACE_TRACEME");
  execv(argv[0], argv);
  die(argv[0]);
}

int step(pid_t child, int signal_to_give) {
  if (ptrace(PTRACE_SYSCALL, child, nullptr, signal_to_give) != 0) die("PTRACE_SYSCALL");
  int status = 0;
  while (waitpid(child, &status, __WALL) < 0)
    if (errno != EINTR) die("waitpid");
  return status;
}

__ptrace_syscall_info info_of(pid_t child) {
  __ptrace_syscall_info info{};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) < 0) die("PTRACE_GET_SYSCALL_INFO");
  return info;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const long kill_at = std::strtol(argv[1], nullptr, 10);
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) run_traced(argv + 2);

  int status = 0;
  if (waitpid(child, &status, __WALL) < 0) die("waitpid");
  if (ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) die("PTRACE_SETOPTIONS");

  bool marked = false;
  long stops = 0;
  unsigned long long call = 0;
  status = step(child, 0);
  while (WIFSTOPPED(status)) {
    const int signal = WSTOPSIG(status);
    if (signal != kSyscallStop) {
      status = step(child, signal == SIGTRAP ? 0 : signal);
      continue;
    }
    const __ptrace_syscall_info info = info_of(child);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) call = info.entry.nr;
    if (marked && ++stops == kill_at) {
      kill(child, SIGKILL);
      waitpid(child, &status, __WALL);
      std::printf("killed at %s of call %llu\n", info.op == PTRACE_SYSCALL_INFO_ENTRY ? "entry" : "exit", call);
      return 0;
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && call == SYS_personality && info.entry.args[0] == kMark) {
      status = step(child, 0);  // the exit of the mark itself
      marked = true;
      if (!WIFSTOPPED(status)) break;
    }
    status = step(child, 0);
  }
  if (!marked) return std::fputs("the program made no mark\n", stderr), 3;
  std::printf("ended %d %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), stops);
  return 0;
}
