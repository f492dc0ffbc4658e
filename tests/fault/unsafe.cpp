// fault_unsafe FOLDER: a daemon as it should not be, the control of test_daemon_kill_sweep.py.
//
// It listens on FOLDER/socket; each line that comes is its new state, which it writes over vault.enc in place, in two
// parts, and after that over state.db; then it answers "done". Killed in between it leaves neither the old nor the new.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

namespace {

bool overwrite(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::size_t half = text.size() / 2;
  return fd >= 0 && write(fd, text.data(), half) == static_cast<ssize_t>(half) &&
         write(fd, text.data() + half, text.size() - half) > 0 && fsync(fd) == 0 && close(fd) == 0;
}

int listen_on(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(fd, 8) == 0;
  return bound ? fd : -1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const int listening = listen_on(folder + "/socket");
  if (listening < 0) return 1;
  for (int peer = -1; (peer = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; close(peer)) {
    std::array<char, 4096> line{};
    const ssize_t size = read(peer, line.data(), line.size());
    if (size < 2) continue;
    const std::string state(line.data(), static_cast<std::size_t>(size));
    if (!overwrite(folder + "/vault.enc", state) || !overwrite(folder + "/state.db", state)) return 1;
    if (write(peer, "done\n", 5) != 5) return 1;
  }
  return 1;
}
