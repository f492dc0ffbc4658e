#include "daemon/guard.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "log/log.hpp"
#include "os/socket.hpp"

namespace popvault::daemon {
namespace {

constexpr std::int64_t kStartMs = 60'000;  // a cold Chromium on a busy disk

Error error_of(guard::Reason reason) {
  switch (reason) {
    case guard::Reason::no_browser:
    case guard::Reason::browser_failed: return {Errc::no_browser, {}};
    case guard::Reason::port_taken: return {Errc::port_taken, {}};
    case guard::Reason::bad_profile: return {Errc::bad_profile, {}};
    case guard::Reason::bad_setting:
    case guard::Reason::none: break;
  }
  return {Errc::guard_lost, {}};
}

}  // namespace

Guard::~Guard() { stop(); }

Status Guard::start(const guard::Configure& settings, Started started) {
  if (control_) return fail(Errc::browser_running);
  PV_ASSIGN(auto control, packet_pair());
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  log_ = Descriptor(ends[0]);
  const Descriptor log_write(ends[1]);
  fcntl(log_.get(), F_SETFL, O_NONBLOCK);
  PV_ASSIGN(pid_, spawner_->spawn_guard(log_write.get(), control.second.get()));
  PV_TRY(send_all(control.first.get(), settings.encode()));
  control_ = std::move(control.first);
  headless_ = settings.headless;
  processors_ = settings.processors;
  started_ = std::move(started);
  control_watch_ = loop_->watch(control_.get(), [this] { readable(); });
  log_watch_ = loop_->watch(log_.get(), [this] { read_log(); });
  deadline_ = loop_->after(kStartMs, [this] { lost({Errc::timeout, {}}); });
  return {};
}

bool Guard::stop() {
  if (!control_) return false;
  lost_ = nullptr;
  lost({Errc::guard_lost, {}});
  return true;
}

std::string Guard::endpoint() const {
  if (!endpoint_) return {};
  return "http://127.0.0.1:" + std::to_string(endpoint_->port) + (endpoint_->token.empty() ? "" : "/" + endpoint_->token);
}

Status Guard::send(const Bytes& message) {
  if (!control_) return fail(Errc::guard_lost);
  return send_all(control_.get(), message);
}

void Guard::open(const JobId& job, injector::Strength strength, Opened opened) {
  if (!running() || !send(guard::Open{job, strength}.encode())) return opened(fail(Errc::guard_lost));
  opening_[job] = std::move(opened);
}

void Guard::close(const JobId& job) {
  opening_.erase(job);
  if (running()) (void)send(guard::Signal{guard::Message::close, job}.encode());
}

void Guard::set_processors(const std::vector<std::string>& origins) {
  if (!running() || origins == processors_) return;
  processors_ = origins;
  (void)send(guard::Processors{origins}.encode());
}

void Guard::readable() {
  std::array<std::uint8_t, 256> buffer{};
  auto got = receive(control_.get(), buffer);
  if (got && got->would_block) return;
  if (!got || got->data.size == 0) return lost({Errc::guard_lost, {}});
  const ByteView message = ByteView(buffer).first(got->data.size);
  if (const auto failed = guard::Failed::decode(message)) return lost(error_of(failed->reason));
  if (const auto started = guard::Started::decode(message); started && started_) {
    endpoint_ = *started;
    loop_->post([this] { deadline_.reset(); });
    return std::exchange(started_, nullptr)(*started);
  }
  const auto signal = guard::Signal::decode(message);
  const auto at = signal ? opening_.find(signal->id) : opening_.end();
  if (at == opening_.end()) return;  // of a job that was closed meanwhile: its descriptors go with `got`
  const Opened opened = std::move(at->second);
  opening_.erase(at);
  auto& passed = got->data.descriptors;
  if (signal->type != guard::Message::opened || passed.size() != 2) return opened(fail(Errc::guard_lost));
  opened(Injections::Browser{std::move(passed[0]), std::move(passed[1])});
}

// What the guard logs is ours, but it has met pages: only plain characters go on.
void Guard::read_log() {
  std::array<std::uint8_t, 512> text{};
  const ssize_t n = read(log_.get(), text.data(), text.size());
  if (n <= 0) {
    if (n == 0) log_watch_->pause();
    return;
  }
  std::string line;
  for (const std::uint8_t c : ByteView(text).first(static_cast<std::size_t>(n)))
    line.push_back(c >= 0x20 && c < 0x7f ? static_cast<char>(c) : ' ');
  log_info("guard: " + line);
}

void Guard::lost(const Error& error) {
  if (!control_) return;
  // The guard ends with this, and its browser with it.
  shutdown(control_.get(), SHUT_RDWR);
  endpoint_.reset();
  // Watches and timers do not end inside their own callbacks, and before their descriptors.
  struct Remains {
    Descriptor control, log;
    std::unique_ptr<Watch> control_watch, log_watch;
    std::unique_ptr<Timer> deadline;
  };
  loop_->post([remains = std::make_shared<Remains>(Remains{std::move(control_), std::move(log_), std::move(control_watch_),
                                                           std::move(log_watch_), std::move(deadline_)})] {});
  for (const auto& one : std::exchange(opening_, {})) one.second(fail(Errc::guard_lost));
  if (started_) return std::exchange(started_, nullptr)(tl::unexpected(error));
  log_info("the guarded browser ended");
  if (lost_) lost_();
}

}  // namespace popvault::daemon
