#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cli/command.hpp"
#include "crypto/startup.hpp"

int main(int argc, char** argv) {
  // This process holds passphrases and keys for moments: nobody of the same user may look into it, no core
  // file may keep them, what it makes is for the owner alone.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  umask(077);
  signal(SIGPIPE, SIG_IGN);
  // A missing standard descriptor must not become a socket that messages are then written to; this one
  // refuses.
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) return 1;
  popvault::crypto::initialise();
  return popvault::cli::run(argc, argv);
}
