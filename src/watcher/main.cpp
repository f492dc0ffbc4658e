// popvault-watcher: locks the vault when the machine sleeps or the screen is locked, and tells the owner of purchases
// that wait. A client of owner.sock without any secret.

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "log/log.hpp"
#include "os/descriptor.hpp"
#include "os/hardening.hpp"
#include "os/paths.hpp"
#include "watcher/watcher.hpp"

namespace popvault::watcher {
namespace {

constexpr const char* kHelp =
    "popvault-watcher\n"
    "Locks the vault of $POPVAULT_HOME when the machine goes to sleep or the session is locked, shows a desktop\n"
    "notification when a purchase waits for you, and runs the command of the setting approvals.hook. It ends with\n"
    "popvaultd; the popvault command starts it together with that, unless POPVAULT_NO_WATCHER=1.\n"
    "  --help, --version\n";

int complain(const Error& error) {
  std::fprintf(stderr, "popvault-watcher: %s (%.*s)\n", error.message().c_str(), static_cast<int>(info(error.code).todo.size()),
               info(error.code).todo.data());
  return info(error.code).exit_status;
}

Status harden() {
  PV_TRY(forbid_inspection());
  PV_TRY(forbid_core_files());
  PV_TRY(forbid_new_privileges());
  set_private_umask();
  ignore_file_signals();
  close_inherited_descriptors(3);
  return {};
}

std::vector<std::string> environment_of_hooks() {
  std::vector<std::string> out;
  for (const char* name : {"PATH", "HOME", "LANG", "POPVAULT_HOME"})
    if (const char* value = std::getenv(name); value != nullptr) out.push_back(std::string(name) + "=" + value);
  return out;
}

// One watcher per home. One whose daemon has just ended holds the lock until it has noticed. Empty when another one has it.
Result<Descriptor> only_one(const std::string& folder) {
  Descriptor fd(open((folder + "/.watcher").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd) return fail_errno(errno, "opening .watcher");
  constexpr int kTries = 60;
  constexpr useconds_t kBetween = 50'000;
  for (int n = 0; flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++n) {
    if (n == kTries) return Descriptor();
    usleep(kBetween);
  }
  return fd;
}

Status run() {
  PV_ASSIGN(const Paths paths, find_paths());
  PV_ASSIGN(const Descriptor lock, only_one(paths.runtime));
  if (!lock) return {};
  start_log("popvault-watcher");
  return watch(paths, environment_of_hooks());
}

}  // namespace
}  // namespace popvault::watcher

int main(int argc, char** argv) {
  using namespace popvault;
  using namespace popvault::watcher;
  if (const Status hardened = harden(); !hardened) return complain(hardened.error());
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--help") return std::fputs(kHelp, stdout) < 0;
    if (word == "--version") return std::printf("popvault-watcher %s\n", POPVAULT_VERSION) < 0;
    return complain({Errc::usage, "popvault-watcher takes --help and --version"});
  }
  const Status ran = run();
  return ran ? 0 : complain(ran.error());
}
