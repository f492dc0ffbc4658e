// popvault-injector: puts one card into one checkout page, and ends.
//
// Descriptors: 0 /dev/null, 1 and 2 the daemon's log, 3 the control channel, 4 a connection to the browser or the guard,
// behind the guard 5 the browser's pipe.
#include <unistd.h>

#include <string_view>

#include "injector/run.hpp"
#include "injector/sandbox.hpp"

namespace {

int die(std::string_view line) {
  // write(2): nothing else is allowed once the filter is in force.
  (void)!write(STDERR_FILENO, line.data(), line.size());
  return 1;
}

}  // namespace

#ifdef POPVAULT_SANITIZED
// The leak checker stops the process by ptrace, which an undumpable one does not allow: it would wait for ever.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif

int main() {
  using namespace popvault::injector;
  clear_environment();
  if (!make_undumpable()) return die("popvault-injector: cannot become undumpable\n");
  if (!forbid_core()) return die("popvault-injector: cannot forbid core files\n");
  if (!forbid_new_privileges()) return die("popvault-injector: cannot set no_new_privs\n");
  if (!refuse_tracer()) return die("popvault-injector: it is being traced\n");
  const bool pipe = has_browser_pipe();
  if (!close_other_descriptors(pipe)) return die("popvault-injector: cannot close descriptors\n");
  reserve_secret_memory();
  if (!install_filter(pipe)) return die("popvault-injector: cannot install the seccomp filter\n");

  constexpr int kControl = 3;
  constexpr int kBrowser = 4;
  constexpr int kPipe = 5;
  return run(kControl, kBrowser, pipe ? kPipe : -1) ? 0 : 1;
}
