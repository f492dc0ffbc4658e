#include "cli/daemon_start.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "os/fs.hpp"
#include "os/socket.hpp"

extern char** environ;

namespace popvault::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPatience{10'000};
constexpr std::chrono::milliseconds kStep{20};
// A daemon that lost the race for the home ends at once, while the winner may still be on its way.
constexpr std::chrono::milliseconds kAfterDeath{1'500};

// The folders above the home too, as mkdir -p does; the home itself is checked to be ours and 0700.
Status make_home(const std::string& home) {
  for (std::size_t at = home.find('/', 1); at != std::string::npos; at = home.find('/', at + 1)) {
    const std::string part = home.substr(0, at);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "making " + part);
  }
  return ensure_private_dir(real_fs(), home);
}

constexpr off_t kLogSize = 1024 * 1024;

// One older log is kept; a daemon that still writes to it goes on doing so.
void rotate_log(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > kLogSize)
    rename(path.c_str(), (path + ".1").c_str());
}

Result<Descriptor> open_log(const std::string& path) {
  Descriptor log(open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!log && errno == ELOOP) return fail(Errc::insecure_file, "popvaultd.log is a symbolic link");
  if (!log) return fail_errno(errno, "opening popvaultd.log");
  struct stat st {};
  if (fstat(log.get(), &st) != 0) return fail_errno(errno, "looking at popvaultd.log");
  if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
    return fail(Errc::insecure_file, "popvaultd.log");
  return log;
}

// What is started beside the terminal.
struct Service {
  const char* name;
  const char* argument;                          // or null
  std::span<const std::string_view> environment;  // beginnings of the variables it gets
};

// Only what it reads: nothing that chooses libraries, locales' modules or crypto providers.
constexpr std::string_view kDaemonReads[] = {"HOME=", "PATH=", "LANG=", "XDG_", "POPVAULT_"};
constexpr std::string_view kWatcherReads[] = {"HOME=", "PATH=", "LANG=", "XDG_", "POPVAULT_", "DBUS_SESSION_BUS_ADDRESS=",
                                              "DBUS_SYSTEM_BUS_ADDRESS="};
constexpr Service kDaemon{"popvaultd", "--foreground", kDaemonReads};
constexpr Service kWatcher{"popvault-watcher", nullptr, kWatcherReads};

std::vector<char*> clean_environment(const Service& service) {
  std::vector<char*> out;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view entry(*at);
    if (std::any_of(service.environment.begin(), service.environment.end(),
                    [&](std::string_view start) { return entry.starts_with(start); }))
      out.push_back(*at);
  }
  out.push_back(nullptr);
  return out;
}

// In the grandchild: only calls that are allowed between fork and exec.
[[noreturn]] void become(const Service& service, const char* program, int log, char* const* environment) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, 0);
  dup2(log, 1);
  dup2(log, 2);
  syscall(SYS_close_range, 3U, ~0U, 0U);
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  char* const argv[] = {const_cast<char*>(service.name), const_cast<char*>(service.argument), nullptr};
  execve(program, argv, environment);
  static constexpr char kFailed[] = ": it could not be executed\n";
  (void)!write(2, service.name, std::strlen(service.name));
  (void)!write(2, kFailed, sizeof kFailed - 1);
  _exit(127);
}

// Gives its pid. The child between lets go of the terminal's session and ends.
Result<pid_t> detach(const Service& service, const std::string& program, const Descriptor& log) {
  std::vector<char*> environment = clean_environment(service);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  const pid_t between = fork();
  if (between < 0) return fail_errno(errno, "fork");
  if (between == 0) {
    setsid();
    const pid_t daemon = fork();
    if (daemon == 0) become(service, program.c_str(), log.get(), environment.data());
    (void)!write(to.get(), &daemon, sizeof daemon);
    _exit(0);
  }
  to.reset();
  pid_t daemon = -1;
  const ssize_t n = read(from.get(), &daemon, sizeof daemon);
  while (waitpid(between, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (n != sizeof daemon || daemon <= 0)
    return fail(Errc::daemon_unreachable, std::string(service.name) + " could not be started");
  return daemon;
}

bool answers(const std::string& socket) { return connect_unix(socket).has_value(); }

// The last whole line written after `from`.
std::string last_line(int log, off_t from) {
  std::array<char, 4096> tail{};
  struct stat st {};
  if (fstat(log, &st) != 0) return {};
  const off_t start = std::max(from, st.st_size - static_cast<off_t>(tail.size()));
  const ssize_t n = pread(log, tail.data(), tail.size(), start);
  if (n <= 0) return {};
  std::string_view text(tail.data(), static_cast<std::size_t>(n));
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t before = text.rfind('\n');
  return std::string(before == text.npos ? text : text.substr(before + 1));
}

// The vault works without one: it makes sure by itself that there is one per home, and says in the log what is wrong.
void start_watcher(const Descriptor& log) {
  const char* const unwanted = std::getenv("POPVAULT_NO_WATCHER");
  if (unwanted != nullptr && std::string_view(unwanted) == "1") return;
  const std::string program = find_program("popvault-watcher");
  if (!program.empty()) (void)detach(kWatcher, program, log);
}

Status wait_until_it_answers(const Paths& paths, pid_t daemon, int log, off_t log_size) {
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, daemon, 0U)));
  auto deadline = Clock::now() + kPatience;
  bool dead = false;
  while (Clock::now() < deadline) {
    if (answers(paths.owner_socket())) return {};
    pollfd ended{process.get(), POLLIN, 0};
    if (!dead && (!process || poll(&ended, 1, 0) > 0)) {
      dead = true;
      const Error said = error_of_log_line(last_line(log, log_size));
      if (said.code != Errc::daemon_running) return tl::unexpected(said);
      deadline = Clock::now() + kAfterDeath;
    }
    std::this_thread::sleep_for(kStep);
  }
  return fail(Errc::daemon_unreachable,
              dead ? "another one is starting" : "it was started and does not answer yet");
}

}  // namespace

std::string find_program(std::string_view name) {
  std::array<char, PATH_MAX> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (n <= 0) return {};
  const std::string folder = parent_of(std::string_view(self.data(), static_cast<std::size_t>(n)));
  const std::string_view room = name == "popvaultd" ? "daemon" : name == "popvault-watcher" ? "watcher" : "injector";
  const std::string candidates[] = {
      folder + "/" + std::string(name),
      folder + "/../" + std::string(room) + "/" + std::string(name),
      folder + "/../libexec/popvault/" + std::string(name),
      folder + "/../lib/popvault/" + std::string(name),
  };
  for (const std::string& path : candidates)
    if (access(path.c_str(), X_OK) == 0) return path;
  return {};
}

Error error_of_log_line(std::string_view line) {
  constexpr std::string_view kStart = "popvaultd: ";
  const std::size_t start = line.find(kStart);
  if (start != line.npos) line.remove_prefix(start + kStart.size());
  for (const ErrcInfo& row : errc_table()) {
    if (!line.starts_with(row.text)) continue;
    std::string_view rest = line.substr(row.text.size());
    const std::string todo = " (" + std::string(row.todo) + ")";
    if (rest.ends_with(todo)) rest.remove_suffix(todo.size());
    if (rest.starts_with(": ")) rest.remove_prefix(2);
    return Error{row.errc, std::string(rest)};
  }
  if (line.empty()) return Error{Errc::daemon_unreachable, "it ended at once; see popvaultd.log in the home"};
  return Error{Errc::daemon_unreachable, std::string(line)};
}

Status start_daemon(const Paths& paths) {
  const std::string program = find_program("popvaultd");
  if (program.empty())
    return fail(Errc::daemon_unreachable, "popvaultd is not installed beside this program");
  PV_TRY(make_home(paths.home));
  rotate_log(paths.home + "/popvaultd.log");
  PV_ASSIGN(const Descriptor log, open_log(paths.home + "/popvaultd.log"));
  const off_t log_size = lseek(log.get(), 0, SEEK_END);
  PV_ASSIGN(const pid_t daemon, detach(kDaemon, program, log));
  PV_TRY(wait_until_it_answers(paths, daemon, log.get(), log_size));
  start_watcher(log);
  return {};
}

}  // namespace popvault::cli
