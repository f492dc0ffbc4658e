#include "os/paths.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

namespace popvault {
namespace {

Result<std::optional<std::string>> folder(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return std::optional<std::string>{};
  std::string path(value);
  if (path.front() != '/') return fail(Errc::usage, std::string(variable) + " must be an absolute path");
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return std::optional(std::move(path));
}

std::string user_home() {
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return home;
  const passwd* const entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_dir : "/";
}

bool own_folder(const std::string& path) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

}  // namespace

Result<Paths> find_paths() {
  PV_ASSIGN(const auto given_home, folder("POPVAULT_HOME"));
  PV_ASSIGN(const auto data_home, folder("XDG_DATA_HOME"));
  PV_ASSIGN(const auto given_runtime, folder("POPVAULT_RUNTIME_DIR"));
  PV_ASSIGN(const auto xdg_runtime, folder("XDG_RUNTIME_DIR"));
  Paths out;
  out.home = given_home ? *given_home : (data_home ? *data_home : user_home() + "/.local/share") + "/popvault";
  const std::string run_user = "/run/user/" + std::to_string(geteuid());
  if (given_runtime) {
    out.runtime = *given_runtime;
  } else if (given_home) {
    out.runtime = out.home + "/run";
  } else if (xdg_runtime) {
    out.runtime = *xdg_runtime + "/popvault";
  } else if (own_folder(run_user)) {
    out.runtime = run_user + "/popvault";
  } else {
    out.runtime = out.home + "/run";
  }
  if (out.agent_socket().size() >= sizeof(sockaddr_un::sun_path)) return fail(Errc::path_too_long, out.agent_socket());
  return out;
}

}  // namespace popvault
