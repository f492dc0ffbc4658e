// fault_tracer PID N
//
// Attaches to every thread of a running process (root may, although a daemon of popvault cannot be traced from its
// start), stops it and says "ready". A byte on standard input lets it go on; from then on each entry and each exit of a
// system call of any thread counts, and at the N-th the whole process is killed (SIGKILL): "killed at <entry or exit> of
// call <number>". N counts from 1; 0 kills never. A second byte, or the end of standard input, kills the process where
// it is: "ended <stops>". New threads are followed, children are not. The process dies with the tracer.
#include <dirent.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>

namespace {

constexpr int kSyscallStop = SIGTRAP | 0x80;
constexpr unsigned long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(3);
}

std::set<pid_t> threads_of(pid_t process) {
  const std::string path = "/proc/" + std::to_string(process) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), &closedir);
  if (!dir) die(path.c_str());
  std::set<pid_t> out;
  while (const dirent* entry = readdir(dir.get()))
    if (entry->d_name[0] != '.') out.insert(static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10)));
  return out;
}

void stop_thread(pid_t thread) {
  if (ptrace(PTRACE_SEIZE, thread, nullptr, kOptions) != 0) die("PTRACE_SEIZE");
  if (ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0) die("PTRACE_INTERRUPT");
  int status = 0;
  if (waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status)) die("waitpid");
}

// All of them, also those that start while we attach.
std::set<pid_t> stop_all(pid_t process) {
  std::set<pid_t> stopped;
  for (bool more = true; more;) {
    more = false;
    for (const pid_t thread : threads_of(process)) {
      if (!stopped.insert(thread).second) continue;
      stop_thread(thread);
      more = true;
    }
  }
  return stopped;
}

// A thread that was killed meanwhile cannot be resumed; its end is reported by waitpid.
void resume(pid_t thread, int signal_to_give) {
  if (ptrace(PTRACE_SYSCALL, thread, nullptr, signal_to_give) != 0 && errno != ESRCH) die("PTRACE_SYSCALL");
}

class Tracer {
 public:
  Tracer(pid_t process, long kill_at) : process_(process), kill_at_(kill_at) {}

  int run() {
    sigset_t child, before;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);
    std::signal(SIGCHLD, [](int) {});
    while (!over_) {
      drain();
      if (over_) break;
      pollfd in{STDIN_FILENO, POLLIN, 0};
      if (ppoll(&in, 1, nullptr, &before) <= 0) continue;  // a stop was reported
      kill(process_, SIGKILL);
      while (!over_) one(waitpid(-1, &status_, __WALL));
    }
    if (killed_.empty())
      std::printf("ended %ld\n", stops_);
    else
      std::printf("%s\n", killed_.c_str());
    return 0;
  }

 private:
  void drain() {
    pid_t thread = 0;
    while (!over_ && (thread = waitpid(-1, &status_, __WALL | WNOHANG)) > 0) one(thread);
  }

  void one(pid_t thread) {
    if (thread < 0) die("waitpid");
    if (!WIFSTOPPED(status_)) {
      over_ = thread == process_;
      return;
    }
    const int signal = WSTOPSIG(status_);
    const bool event = status_ >> 16 != 0;
    if (signal == kSyscallStop) count(thread);
    resume(thread, event || signal == kSyscallStop ? 0 : signal);
  }

  void count(pid_t thread) {
    if (!killed_.empty() || ++stops_ != kill_at_) return;
    __ptrace_syscall_info info{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0 && errno != ESRCH) die("PTRACE_GET_SYSCALL_INFO");
    killed_ = info.op == PTRACE_SYSCALL_INFO_ENTRY ? "killed at entry of call " + std::to_string(info.entry.nr)
                                                   : "killed at exit of a call";
    kill(process_, SIGKILL);
  }

  pid_t process_;
  long kill_at_;
  long stops_ = 0;
  int status_ = 0;
  bool over_ = false;
  std::string killed_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto process = static_cast<pid_t>(std::strtol(argv[1], nullptr, 10));
  const std::set<pid_t> threads = stop_all(process);
  std::puts("ready");
  std::fflush(stdout);
  char go = 0;
  if (read(STDIN_FILENO, &go, 1) != 1) return 3;
  Tracer tracer(process, std::strtol(argv[2], nullptr, 10));
  for (const pid_t thread : threads) resume(thread, 0);
  return tracer.run();
}
