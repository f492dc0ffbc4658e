#include "guard/browser_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "log/log.hpp"

namespace popvault::guard {
namespace {

// Debian's /usr/bin/chromium is a script that reads more settings: the program itself comes first.
constexpr std::array<const char*, 9> kPlaces = {
    "/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser", "/opt/google/chrome/chrome",
    "/usr/lib64/chromium-browser/chromium-browser", "/usr/bin/chromium", "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome-stable", "/usr/bin/google-chrome", "/snap/bin/chromium"};

constexpr std::array<const char*, 24> kArguments = {
    "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--no-startup-window",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--disable-extensions", "--disable-default-apps", "--disable-back-forward-cache", "--disable-breakpad",
    "--disable-crash-reporter", "--disable-client-side-phishing-detection", "--disable-domain-reliability",
    "--disable-session-crashed-bubble", "--disable-search-engine-choice-screen", "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding", "--password-store=basic",
    "--mute-audio", "--site-per-process", "--noerrdialogs"};

constexpr const char* kDisabledFeatures =
    "--disable-features=Translate,TranslateUI,AutofillServerCommunication,BackForwardCache,Prerender2,"
    "SpeculationRulesPrefetchFuture,MediaRouter,OptimizationHints,InterestFeedContentSuggestions,"
    "CertificateTransparencyComponentUpdater,DestroyProfileOnBrowserClose,PrivacySandboxSettings4";

[[noreturn]] void become(const std::string& program, const std::vector<char*>& argv, const std::vector<char*>& environment,
                         int commands, int answers, pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGHUP, SIGCHLD}) (void)signal(number, SIG_DFL);
  const int null = open("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2})
    if (dup2(null, fd) < 0) _exit(127);
  if (dup2(commands, 3) < 0 || dup2(answers, 4) < 0) _exit(127);
  (void)close_range(5, ~0U, 0);
  execve(program.c_str(), argv.data(), environment.data());
  _exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Above what the child's own numbers are.
Descriptor high(int fd) {
  Descriptor out(fcntl(fd, F_DUPFD_CLOEXEC, 10));
  close(fd);
  return out;
}

}  // namespace

std::string find_browser() {
  for (const char* const place : kPlaces)
    if (access(place, X_OK) == 0) return place;
  return {};
}

std::vector<std::string> browser_arguments(const Configure& configure) {
  std::vector<std::string> out(kArguments.begin(), kArguments.end());
  out.emplace_back(kDisabledFeatures);
  out.emplace_back("--enable-features=OriginKeyedProcessesByDefault");
  out.push_back("--user-data-dir=" + configure.profile);
  std::string origins;
  for (const std::string& origin : configure.processors) origins += (origins.empty() ? "" : ",") + origin;
  if (!origins.empty()) out.push_back("--isolate-origins=" + origins);
  if (configure.headless) {
    out.emplace_back("--headless");
    out.emplace_back("--disable-gpu");
  }
  if (geteuid() == 0) {
    log_warning("running as root: the browser runs without its sandbox");
    out.emplace_back("--no-sandbox");
  }
  return out;
}

Result<BrowserProcess> start_browser(const std::string& program, const Configure& configure) {
  std::array<int, 2> to{}, from{};
  if (pipe2(to.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Descriptor their_in = high(to[0]), commands = high(to[1]);
  if (pipe2(from.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Descriptor answers = high(from[0]), their_out = high(from[1]);
  constexpr int kPipeSize = 1 << 20;
  for (const int fd : {commands.get(), answers.get()}) (void)fcntl(fd, F_SETPIPE_SZ, kPipeSize);

  std::vector<std::string> texts = browser_arguments(configure), environment = configure.environment;
  texts.insert(texts.begin(), program);
  const std::vector<char*> argv = pointers(texts), variables = pointers(environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) become(program, argv, variables, their_in.get(), their_out.get(), parent);
  return BrowserProcess{pid, std::move(commands), std::move(answers)};
}

}  // namespace popvault::guard
