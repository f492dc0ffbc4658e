// popvault-browser: starts Chromium for the daemon and lets agents use it, but for what could read a card.
//
// Descriptors: 0 /dev/null, 1 and 2 the daemon's log, 3 the control channel.
#include <fcntl.h>
#include <sys/socket.h>

#include <cstdio>
#include <string_view>

#include "guard/guard.hpp"
#include "log/log.hpp"
#include "os/hardening.hpp"

namespace popvault::guard {
namespace {

constexpr int kControl = 3;
constexpr const char* kHelp =
    "popvault-browser\n"
    "The guarded browser. popvaultd starts it (popvault browser); by itself it does nothing.\n"
    "  --help, --version\n";

int complain(const Error& error) {
  std::fprintf(stderr, "popvault-browser: %s\n", error.message().c_str());
  return info(error.code).exit_status;
}

Status harden() {
  PV_TRY(forbid_inspection());
  PV_TRY(refuse_tracer());
  PV_TRY(refuse_foreign_namespace());
  PV_TRY(forbid_core_files());
  raise_descriptor_limit();
  set_private_umask();
  ignore_file_signals();
  clear_environment();
  close_inherited_descriptors(kControl + 1);
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(kControl, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
    return fail(Errc::usage, "the daemon starts this program");
  fcntl(kControl, F_SETFD, FD_CLOEXEC);
  return {};
}

}  // namespace
}  // namespace popvault::guard

int main(int argc, char** argv) {
  using namespace popvault;
  using namespace popvault::guard;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--help") return std::fputs(kHelp, stdout) < 0;
    if (word == "--version") return std::printf("popvault-browser %s\n", POPVAULT_VERSION) < 0;
    return complain({Errc::usage, "popvault-browser takes --help and --version"});
  }
  if (const Status hardened = harden(); !hardened) return complain(hardened.error());
  start_log("popvault-browser");
  return run(Descriptor(kControl));
}
