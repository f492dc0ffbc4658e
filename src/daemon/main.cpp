// popvaultd: the owner's vault and the one gate.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "crypto/digest.hpp"
#include "crypto/startup.hpp"
#include "log/log.hpp"
#include "ledger/purchases.hpp"
#include "daemon/server.hpp"
#include "os/hardening.hpp"
#include "os/paths.hpp"
#include "os/socket.hpp"
#include "os/spawner.hpp"
#include "secret/arena.hpp"

namespace popvault::daemon {
namespace {

constexpr int kBacklog = 1024;
constexpr std::int64_t kHousekeepingMs = 30'000;
constexpr std::int64_t kDeadlinesMs = 1'000;
constexpr const char* kHelp =
    "popvaultd [--foreground] [--secret-memory locked]\n"
    "The popvault daemon of one home ($POPVAULT_HOME). It stays in the foreground and logs to standard error;\n"
    "the popvault command starts it when it is needed, and a service manager may pass it its sockets.\n"
    "  --secret-memory locked   use locked pages although the kernel has memfd_secret\n"
    "  --help, --version\n";

struct Startup {
  Paths paths;
  int passed_sockets = 0;  // by a service manager, from descriptor 3 on (sd_listen_fds(3))
  std::string credentials;  // the folder of its credentials (systemd.exec(5), LoadCredential=)
};

int complain(const Error& error) {
  std::fprintf(stderr, "popvaultd: %s (%.*s)\n", error.message().c_str(),
               static_cast<int>(info(error.code).todo.size()), info(error.code).todo.data());
  return info(error.code).exit_status;
}

Status harden() {
  PV_TRY(forbid_inspection());
  PV_TRY(refuse_tracer());
  PV_TRY(refuse_foreign_namespace());
  PV_TRY(forbid_core_files());
  PV_TRY(forbid_new_privileges());
  raise_descriptor_limit();
  set_private_umask();
  ignore_file_signals();
  return {};
}

int passed_sockets() {
  const char* const pid = std::getenv("LISTEN_PID");
  const char* const count = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::strtol(pid, nullptr, 10) != getpid()) return 0;
  return std::strcmp(count, "2") == 0 ? 2 : 0;
}

// What is wanted from the environment, which is then cleared, as are all descriptors nobody asked for.
Result<Startup> read_surroundings() {
  Startup out;
  PV_ASSIGN(out.paths, find_paths());
  out.passed_sockets = passed_sockets();
  if (const char* const folder = std::getenv("CREDENTIALS_DIRECTORY"); folder != nullptr) out.credentials = folder;
  clear_environment();
  close_inherited_descriptors(3 + out.passed_sockets);
  return out;
}

// The program beside this one, in a build tree or an installation.
Result<std::string> program_beside(const std::string& name, const std::string& room) {
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (n <= 0) return fail_errno(errno, "/proc/self/exe");
  std::string folder(self.data(), static_cast<std::size_t>(n));
  folder.resize(folder.rfind('/'));
  for (const std::string& place : {"/" + name, "/../" + room + "/" + name, "/../libexec/popvault/" + name}) {
    const std::string path = folder + place;
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  return fail(Errc::injector_failed, name + " is not beside popvaultd");
}

Result<crypto::Digest> digest_of(int fd) {
  Bytes content;
  std::array<std::uint8_t, 65536> buffer{};
  ssize_t n = 0;
  off_t at = 0;
  while ((n = pread(fd, buffer.data(), buffer.size(), at)) > 0) {
    content.insert(content.end(), buffer.begin(), buffer.begin() + n);
    at += n;
  }
  if (n < 0) return fail_errno(errno, "reading the sealed injector");
  return crypto::sha256(content);
}

// One daemon per home: the lock lives as long as the process.
Result<Descriptor> lock_home(const std::string& home) {
  Descriptor fd(open((home + "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, "opening .lock");
  // The spawner of a daemon that was killed holds the lock until it has noticed.
  constexpr int kTries = 50;
  constexpr useconds_t kBetween = 20'000;
  for (int n = 0; flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++n) {
    if (n == kTries) return fail(Errc::daemon_running);
    usleep(kBetween);
  }
  return fd;
}

// A passed socket is taken for the path it is bound to.
Result<Descriptor> take_socket(const Startup& startup, const std::string& path) {
  for (int fd = 3; fd < 3 + startup.passed_sockets; ++fd) {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_family != AF_UNIX) continue;
    if (path != address.sun_path) continue;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return Descriptor(fd);
  }
  return listen_unix(path, kBacklog);
}

void housekeeping(Application& app, std::unique_ptr<Timer>& timer) {
  timer = app.loop.after(kHousekeepingMs, [&app, &timer] {
    if (app.session.state() == State::unlocked)
      for (const Status& done : {app.expire(), app.settle_stranded(), app.session.fold_narrowings(), app.keep_schedule(),
                                app.keep_journal()})
        if (!done) log_warning(done.error().message());
    if (app.session.state() == State::granted)
      for (const Status& done : {app.expire(), app.settle_stranded(), app.keep_journal()})
        if (!done) log_warning(done.error().message());
    housekeeping(app, timer);
  });
}

void watch_deadlines(Application& app, std::unique_ptr<Timer>& timer) {
  timer = app.loop.after(kDeadlinesMs, [&app, &timer] {
    app.check_deadlines();
    watch_deadlines(app, timer);
  });
}

void serve(Loop& loop, Application& app, const Startup& startup, Descriptor agent, Descriptor owner) {
  auto server = std::make_unique<Server>(app, std::move(agent), std::move(owner));
  std::unique_ptr<Timer> timer, deadlines;
  housekeeping(app, timer);
  watch_deadlines(app, deadlines);
  app.stop = [&] {
    app.lock();
    server->close_all();
    loop.stop();
  };
  loop.on_signals({SIGTERM, SIGINT, SIGHUP, SIGUSR1}, [&](int number) {
    if (number == SIGUSR1) return app.lock();
    app.stop();
  });
  log_info("ready");
  loop.run();
  if (startup.passed_sockets == 0) {
    unlink(startup.paths.agent_socket().c_str());
    unlink(startup.paths.owner_socket().c_str());
  }
}

Status run(const Startup& startup) {
  Fs& fs = real_fs();
  const std::string& home = startup.paths.home;
  PV_TRY(make_parents(fs, home));
  PV_TRY(ensure_private_dir(fs, home));
  PV_ASSIGN(const Descriptor lock, lock_home(home));
  PV_TRY(make_parents(fs, startup.paths.runtime));
  PV_TRY(ensure_private_dir(fs, startup.paths.runtime));
  PV_ASSIGN(const std::string injector, program_beside("popvault-injector", "injector"));
  PV_ASSIGN(Descriptor sealed, sealed_copy(injector));
  PV_ASSIGN(const std::string guard_program, program_beside("popvault-browser", "guard"));
  PV_ASSIGN(Descriptor sealed_guard, sealed_copy(guard_program));
  PV_ASSIGN(const crypto::Digest digest, digest_of(sealed.get()));
  // Before any secret is in memory, and before any thread.
  PV_ASSIGN(Spawner spawner, Spawner::start(std::move(sealed), std::move(sealed_guard)));
  start_log("popvaultd");
  HeldClock clock(system_clock());
  PV_ASSIGN(const auto session, Session::open(home, fs, clock));
  PV_ASSIGN(Descriptor agent, take_socket(startup, startup.paths.agent_socket()));
  PV_ASSIGN(Descriptor owner, take_socket(startup, startup.paths.owner_socket()));
  Loop loop;
  Injections injections(loop, spawner);
  Guard guard(loop, spawner);
  Application app{loop, *session, injections, guard, digest.hex()};
  app.gate.when_guarded([&guard] { return guard.running(); });
  app.clock = &clock;
  session->when_opened([&clock] { clock.rebase(); });
  session->when_in_use([&injections](const std::string& purchase) { return injections.running(purchase); });
  // A service without this credential just has no sealed grants.
  if (!startup.credentials.empty()) (void)session->use_service_credential(startup.credentials + "/popvault-grant");
  if (session->has_store())
    if (const Status opened = session->open_sealed_grants(); !opened) log_warning(opened.error().message());
  if (session->state() == State::granted) app.gate.replay_rates();
  serve(loop, app, startup, std::move(agent), std::move(owner));
  return {};
}

}  // namespace
}  // namespace popvault::daemon

int main(int argc, char** argv) {
  using namespace popvault;
  using namespace popvault::daemon;
  if (const Status hardened = harden(); !hardened) return complain(hardened.error());
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--help") return std::fputs(kHelp, stdout) < 0;
    if (word == "--version") return std::printf("popvaultd %s\n", std::string(kVersion).c_str()) < 0;
    if (word == "--foreground") continue;
    if (word == "--secret-memory" && i + 1 < argc && std::string_view(argv[i + 1]) == "locked") {
      force_locked_pages();
      ++i;
      continue;
    }
    return complain({Errc::usage, "popvaultd takes --foreground, --secret-memory locked, --help and --version"});
  }
  const auto startup = read_surroundings();
  if (!startup) return complain(startup.error());
  crypto::initialise();
  const Status ran = run(*startup);
  return ran ? 0 : complain(ran.error());
}
