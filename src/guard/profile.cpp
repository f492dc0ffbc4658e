#include "guard/profile.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "os/descriptor.hpp"
#include "os/fs.hpp"
#include "os/trusted_program.hpp"
#include "rpc/json.hpp"

namespace popvault::guard {
namespace {

constexpr std::array<std::string_view, 8> kDefaults = {
    ".config/chromium", ".config/google-chrome", ".config/google-chrome-beta", ".config/google-chrome-unstable",
    ".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi", "snap/chromium"};

bool inside(std::string_view path, std::string_view folder) {
  return path.substr(0, folder.size()) == folder && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::vector<std::string> homes(const std::vector<std::string>& environment) {
  std::vector<std::string> out;
  for (const std::string& variable : environment)
    if (variable.rfind("HOME=/", 0) == 0) out.push_back(variable.substr(5));
  if (const passwd* const user = getpwuid(getuid()); user != nullptr) out.emplace_back(user->pw_dir);
  return out;
}

// "host-pid" is where Chromium's lock link leads.
bool in_use(const std::string& folder) {
  std::array<char, 512> to{};
  const ssize_t n = readlink((folder + "/SingletonLock").c_str(), to.data(), to.size() - 1);
  if (n <= 0) return false;
  const std::string text(to.data(), static_cast<std::size_t>(n));
  const auto dash = text.rfind('-');
  if (dash == std::string::npos) return false;
  const long pid = std::strtol(text.c_str() + dash + 1, nullptr, 10);
  if (pid > 0 && (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM)) return true;
  // Its owner is gone: Chromium would ask in a window.
  for (const char* name : {"/SingletonLock", "/SingletonSocket", "/SingletonCookie"}) unlink((folder + name).c_str());
  return false;
}

Status write_preferences(const std::string& folder) {
  if (mkdir((folder + "/Default").c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "the profile");
  const std::string path = folder + "/Default/Preferences";
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  // One that is there was written by us and then by the browser.
  if (!file) return errno == EEXIST ? Status{} : fail_errno(errno, "the preferences");
  Json out;
  const auto flag = [&out](const char* group, const char* name, Json value) {
    Json inner = out[group];
    inner.set(name, std::move(value));
    out.set(group, std::move(inner));
  };
  flag("autofill", "profile_enabled", false);
  flag("autofill", "credit_card_enabled", false);
  flag("translate", "enabled", false);
  flag("browser", "has_seen_welcome_page", true);
  flag("session", "restore_on_startup", 5);
  flag("net", "network_prediction_options", 2);
  flag("signin", "allowed", false);
  out.set("credentials_enable_service", false);
  out.set("credentials_enable_autosignin", false);
  Json profile;
  profile.set("password_manager_enabled", false);
  profile.set("exit_type", "Normal");
  out.set("profile", std::move(profile));
  const std::string text = out.dump();
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return fail_errno(errno, "the preferences");
  return {};
}

}  // namespace

Status prepare_profile(const std::string& folder, const std::vector<std::string>& environment) {
  if (!plain_absolute_path(folder)) return fail(Errc::insecure_file, "the profile's path");
  for (const std::string& home : homes(environment))
    for (const std::string_view name : kDefaults)
      if (inside(folder, home + "/" + std::string(name))) return fail(Errc::insecure_file, "a default profile");
  PV_TRY(ensure_private_dir(real_fs(), folder));
  // A browser that was just stopped takes a moment to go.
  constexpr int kTries = 50;
  constexpr useconds_t kBetween = 100'000;
  for (int n = 0; n < kTries && in_use(folder); ++n) usleep(kBetween);
  if (in_use(folder)) return fail(Errc::insecure_file, "the profile is in use");
  return write_preferences(folder);
}

}  // namespace popvault::guard
