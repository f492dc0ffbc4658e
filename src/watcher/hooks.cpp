#include "watcher/hooks.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "log/log.hpp"
#include "os/trusted_program.hpp"

namespace popvault::watcher {
namespace {

constexpr std::size_t kMostAtOnce = 4;
constexpr std::size_t kMostWaiting = 100;
constexpr std::chrono::seconds kTimeLimit{10};

// A pipe that holds the whole line: its buffer (64 KiB) is larger than a request can be.
Result<Descriptor> input_with(const std::string& line) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Descriptor from(ends[0]);
  const Descriptor to(ends[1]);
  fcntl(to.get(), F_SETFL, O_NONBLOCK);
  const ssize_t n = write(to.get(), line.data(), line.size());
  if (n != static_cast<ssize_t>(line.size())) return fail(Errc::io_error, "the request does not fit into a pipe");
  return from;
}

// In the child: only calls that are allowed between fork and exec.
[[noreturn]] void become_hook(int program, int input, const char* name, char* const* environment, pid_t parent) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != parent) _exit(127);
  constexpr int kHigh = 64;
  program = fcntl(program, F_DUPFD, kHigh);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (dup2(input, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) _exit(127);
  syscall(SYS_close_range, 3U, static_cast<unsigned>(program) - 1, 0U);
  syscall(SYS_close_range, static_cast<unsigned>(program) + 1, ~0U, 0U);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_DFL);
  (void)!chdir("/");
  char* const arguments[] = {const_cast<char*>(name), nullptr};
  syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
  _exit(127);
}

// A child that is not reaped yet, and its process group once it has made one.
void kill_all(pid_t child) {
  kill(-child, SIGKILL);
  kill(child, SIGKILL);
}

std::string how(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) == 127) return "could not be run (status 127)";
  return "failed with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Hooks::~Hooks() {
  for (const Running& one : running_) {
    kill_all(one.pid);
    waitpid(one.pid, nullptr, 0);
  }
}

void Hooks::run(const std::string& program, std::string line) {
  if (waiting_.size() >= kMostWaiting) {
    if (!std::exchange(overflowed_, true)) log_warning("approvals.hook: too many requests wait for it; some are left out");
    return;
  }
  overflowed_ = false;
  waiting_.push_back({program, std::move(line)});
  begin();
}

void Hooks::begin() {
  while (!waiting_.empty() && running_.size() < kMostAtOnce) {
    const Waiting one = std::move(waiting_.front());
    waiting_.pop_front();
    if (const Status started = start(one); !started) log_warning("approvals.hook: " + started.error().message());
  }
}

Status Hooks::start(const Waiting& one) {
  PV_ASSIGN(const Descriptor program, open_trusted_program(one.program));
  PV_ASSIGN(const Descriptor input, input_with(one.line));
  std::vector<char*> environment;
  for (std::string& variable : environment_) environment.push_back(variable.data());
  environment.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) become_hook(program.get(), input.get(), one.program.c_str(), environment.data(), parent);
  running_.push_back({pid, Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0U))),
                      std::chrono::steady_clock::now() + kTimeLimit});
  return {};
}

void Hooks::add_to(std::vector<pollfd>& wanted) const {
  for (const Running& one : running_) wanted.push_back({one.process.get(), POLLIN, 0});
}

int Hooks::patience() const {
  if (running_.empty()) return -1;
  Time first = Time::max();
  for (const Running& one : running_) first = std::min(first, one.deadline);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

// Reaped only here, so its number stands for it until then.
bool Hooks::ended(Running& one) {
  if (!one.late && std::chrono::steady_clock::now() >= one.deadline) {
    one.late = true;
    one.deadline = Time::max() - std::chrono::hours(1);
    kill_all(one.pid);
  }
  int status = 0;
  const pid_t found = waitpid(one.pid, &status, WNOHANG);
  if (found == 0) return false;
  if (one.late) log_warning("approvals.hook: it took over 10 s and was killed");
  else if (found > 0 && status != 0) log_warning("approvals.hook: it " + how(status));
  return true;
}

void Hooks::look() {
  running_.remove_if([this](Running& one) { return ended(one); });
  begin();
}

}  // namespace popvault::watcher
