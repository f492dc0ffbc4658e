#include "guard/guard.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "guard/browser_process.hpp"
#include "guard/control.hpp"
#include "guard/discovery.hpp"
#include "guard/endpoint.hpp"
#include "guard/hub.hpp"
#include "guard/profile.hpp"
#include "guard/random_id.hpp"
#include "log/log.hpp"
#include "os/trusted_program.hpp"
#include "rpc/guard_protocol.hpp"

namespace popvault::guard {
namespace {

constexpr std::int64_t kStartMs = 60'000;
constexpr std::int64_t kEndMs = 3'000;

class Guard {
 public:
  explicit Guard(Descriptor channel)
      : control_(loop_, std::move(channel), [this](ByteView message) { take(message); }, [this] { end(0); }) {
    loop_.on_signals([this](int number) {
      if (number != SIGCHLD) return end(0);
      int status = 0;
      if (browser_ > 0 && waitpid(browser_, &status, WNOHANG) == browser_) {
        browser_ = 0;
        browser_ended();
      }
    });
  }
  ~Guard() { stop_browser(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  int run() {
    loop_.run();
    return status_;
  }

 private:
  void end(int status) {
    status_ = status;
    loop_.stop();
  }
  void fail_with(Reason reason) {
    control_.send(Failed{reason}.encode());
    end(1);
  }
  void browser_ended() {
    log_warning("the browser ended");
    started_ ? end(0) : fail_with(Reason::browser_failed);
  }

  void take(ByteView message) {
    const bool known = !configure_ ? configure(message) : processors(message) || open(message) || close(message);
    if (!known) {
      log_warning("a message of the daemon could not be read");
      end(1);
    }
  }
  bool configure(ByteView message) {
    configure_ = Configure::decode(message);
    if (configure_) start();
    return configure_.has_value();
  }
  bool processors(ByteView message) {
    const auto said = Processors::decode(message);
    if (said && hub_) hub_->add_processors(said->origins);
    return said.has_value();
  }
  bool open(ByteView message) {
    const auto said = Open::decode(message);
    if (!said) return false;
    Descriptor stream = started_ ? hub_->open_injector(said->id, said->strength) : Descriptor();
    // A description of its own: the guard's does not block.
    const std::string path = "/proc/self/fd/" + std::to_string(hub_ ? hub_->link.stream().out_descriptor() : -1);
    const Descriptor pipe(stream ? ::open(path.c_str(), O_WRONLY | O_CLOEXEC) : -1);
    if (pipe) control_.send(Signal{Message::opened, said->id}.encode(), {stream.get(), pipe.get()});
    else control_.send(Signal{Message::refused, said->id}.encode());
    return true;
  }
  bool close(ByteView message) {
    const auto said = Signal::decode(message);
    if (!said || said->type != Message::close) return false;
    if (hub_) hub_->close_injector(said->id);
    return true;
  }

  void start() {
    const std::string program = configure_->program.empty() ? find_browser() : configure_->program;
    if (program.empty()) return fail_with(Reason::no_browser);
    if (!plain_absolute_path(program) || access(program.c_str(), X_OK) != 0) return fail_with(Reason::no_browser);
    if (!configure_->exchange.empty() && !plain_absolute_path(configure_->exchange)) return fail_with(Reason::bad_setting);
    if (const Status ready = prepare_profile(configure_->profile, configure_->environment); !ready) {
      log_warning(ready.error().message());
      return fail_with(Reason::bad_profile);
    }
    if (configure_->require_token) token_ = random_id();
    if (!listen()) return fail_with(Reason::port_taken);
    auto browser = start_browser(program, *configure_);
    if (!browser) return fail_with(Reason::browser_failed);
    browser_ = browser->pid;
    hub_ = std::make_unique<Hub>(loop_, std::move(browser->commands), std::move(browser->answers), configure_->exchange,
                                 [this] { browser_ended(); });
    hub_->add_processors(configure_->processors);
    timer_ = loop_.after(kStartMs, [this] {
      if (!started_) fail_with(Reason::browser_failed);
    });
    hub_->start([this](bool ok) {
      if (!ok) return fail_with(Reason::browser_failed);
      started_ = true;
      control_.send(Started{endpoint_->port(), token_}.encode());
    });
  }
  bool listen() {
    Endpoint::Handlers handlers;
    handlers.http = [this](std::string_view method, std::string_view path, std::string_view query, const Answer& answer) {
      if (!started_) return answer({503, "text/plain", "not yet\n"});
      discover(*hub_, endpoint_->port(), token_, method, path, query, answer);
    };
    handlers.knows = [this](std::string_view path) { return started_ && hub_->knows(path); };
    handlers.socket = [this](std::string_view path, std::shared_ptr<Socket> socket) {
      return started_ ? hub_->connect(path, std::move(socket)) : nullptr;
    };
    auto endpoint = Endpoint::listen(loop_, configure_->port, token_, std::move(handlers));
    if (endpoint) endpoint_ = std::move(*endpoint);
    return endpoint_ != nullptr;
  }
  // It is asked first, so that its own children end and its files are whole.
  void stop_browser() {
    if (browser_ <= 0) return;
    kill(browser_, SIGTERM);
    constexpr useconds_t kStep = 20'000;
    for (std::int64_t waited = 0; waited < kEndMs; waited += kStep / 1000) {
      if (waitpid(browser_, nullptr, WNOHANG) == browser_) return;
      usleep(kStep);
    }
    kill(browser_, SIGKILL);
    waitpid(browser_, nullptr, 0);
  }

  Loop loop_;
  Control control_;
  std::optional<Configure> configure_;
  std::string token_;
  std::unique_ptr<Hub> hub_;
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<Timer> timer_;
  pid_t browser_ = 0;
  bool started_ = false;
  int status_ = 0;
};

}  // namespace

int run(Descriptor channel) {
  Guard guard(std::move(channel));
  return guard.run();
}

}  // namespace popvault::guard
