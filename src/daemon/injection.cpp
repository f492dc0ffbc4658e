#include "daemon/injection.hpp"

#include <unistd.h>
#include <fcntl.h>

#include <array>

#include "log/log.hpp"
#include "os/socket.hpp"

namespace popvault::daemon {
namespace {

// The injector keeps its own deadline; this much later it is ended from outside.
constexpr std::int64_t kGraceMs = 2000;

}  // namespace

struct Injections::Running {
  injector::Job job;
  std::string purchase, owner;
  Descriptor control, log;
  pid_t pid = 0;
  Answers answers;
  bool readied = false;
  bool armed = false;
  bool handed_over = false;
  bool stopping = false;
  std::unique_ptr<Watch> control_watch, log_watch;
  std::unique_ptr<Timer> deadline;
};

namespace {

// What the injector logs is ours, but it has met a page: only plain characters go on, and not many.
// False at the pipe's end.
bool forward_log(int fd, const std::string& purchase) {
  std::array<std::uint8_t, 512> text{};
  const ssize_t n = read(fd, text.data(), text.size());
  if (n <= 0) return n != 0;
  std::string line;
  for (const std::uint8_t c : ByteView(text).first(static_cast<std::size_t>(n)))
    line.push_back(c >= 0x20 && c < 0x7f ? static_cast<char>(c) : ' ');
  log_info("injector of " + purchase + ": " + line);
  return true;
}

}  // namespace

Status Injections::start(const injector::Job& job, const std::string& purchase, const std::string& owner,
                         Browser browser, Answers answers) {
  PV_ASSIGN(auto control, packet_pair());
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Descriptor log_read(ends[0]);
  const Descriptor log_write(ends[1]);
  fcntl(log_read.get(), F_SETFL, O_NONBLOCK);
  PV_ASSIGN(const pid_t pid, spawner_->spawn(log_write.get(), control.second.get(), browser.connection.get(), browser.pipe.get()));
  PV_TRY(send_all(control.first.get(), job.encode()));

  auto one = std::make_shared<Running>();
  one->job = job;
  one->purchase = purchase;
  one->owner = owner;
  one->control = std::move(control.first);
  one->log = std::move(log_read);
  one->pid = pid;
  one->answers = std::move(answers);
  one->control_watch = loop_->watch(one->control.get(), [this, purchase] { readable(purchase); });
  Running* const raw = one.get();
  one->log_watch = loop_->watch(one->log.get(), [raw] {
    if (!forward_log(raw->log.get(), raw->purchase)) raw->log_watch->pause();
  });
  wait_for(*one, job.deadline_ms + kGraceMs);
  running_.insert_or_assign(purchase, std::move(one));
  return {};
}

void Injections::wait_for(Running& one, std::int64_t ms) {
  one.deadline = loop_->after(ms, [this, purchase = one.purchase] {
    const auto at = running_.find(purchase);
    if (at == running_.end()) return;
    spawner_->kill(at->second->pid);
    end(purchase, fail(Errc::timeout));
  });
}

std::size_t Injections::armed() const noexcept {
  std::size_t count = 0;
  for (const auto& one : running_)
    if (one.second->armed) ++count;
  return count;
}

void Injections::readable(const std::string& purchase) {
  const auto at = running_.find(purchase);
  if (at == running_.end()) return;
  const std::shared_ptr<Running> one = at->second;
  std::array<std::uint8_t, injector::kMaxControl> buffer{};
  const auto got = receive(one->control.get(), buffer);
  if (!got || got->data.size == 0) return end(purchase, fail(Errc::injector_failed));
  const ByteView message = ByteView(buffer).first(got->data.size);
  if (const auto done = injector::Done::decode(message); done && done->id == one->job.id) return end(purchase, *done);
  if (one->stopping) return;  // its last word is still to come
  const auto ready = injector::Ready::decode(message);
  if (ready && ready->id == one->job.id && !one->readied) return on_ready(*one, *ready);
  const auto signal = injector::Signal::decode(message);
  const bool ours = signal && signal->id == one->job.id;
  if (ours && signal->type == injector::Message::armed && one->readied && !one->armed) return on_armed(*one);
  if (ours && signal->type == injector::Message::wanted && one->armed && !one->handed_over)
    return hand_over(*one, one->answers.wanted());
  spawner_->kill(one->pid);
  end(purchase, fail(Errc::injector_failed));
}

void Injections::on_ready(Running& one, const injector::Ready& ready) {
  one.readied = true;
  auto answer = one.answers.ready(ready);
  if (!answer) return hand_over(one, tl::unexpected(answer.error()));
  if (*answer) return hand_over(one, std::move(**answer));
  if (!send_all(one.control.get(), injector::Signal{injector::Message::proceed, one.job.id}.encode()))
    end(one.purchase, fail(Errc::injector_failed));
}

void Injections::on_armed(Running& one) {
  one.armed = true;
  wait_for(one, one.job.armed_ms + injector::kAnswerMs + kGraceMs);
  if (const Status armed = one.answers.armed(); !armed) hand_over(one, tl::unexpected(armed.error()));
}

void Injections::hand_over(Running& one, Result<Descriptor> bundle) {
  if (!bundle) {
    one.control.reset();
    return end(one.purchase, tl::unexpected(bundle.error()));
  }
  const int descriptor = bundle->get();
  one.handed_over = true;
  if (!send_all(one.control.get(), injector::BundleNotice{one.job.id}.encode(), {&descriptor, 1}))
    end(one.purchase, fail(Errc::injector_failed));
}

void Injections::end(const std::string& purchase, Result<injector::Done> said) {
  const auto at = running_.find(purchase);
  if (at == running_.end()) return;
  const std::shared_ptr<Running> one = std::move(at->second);
  running_.erase(at);
  one->control_watch.reset();
  one->log_watch.reset();
  one->deadline.reset();
  one->answers.ended({one->handed_over, std::move(said)});
}

void Injections::stop(Running& one) {
  one.stopping = true;
  if (!one.handed_over) {
    one.control_watch.reset();
    one.control.reset();
    end(one.purchase, fail(Errc::canceled));
    return;
  }
  // Half-close: the injector sees the end, and its last word still arrives.
  shutdown_write(one.control.get());
}

void Injections::stop_all() {
  const auto all = running_;
  for (const auto& one : all) stop(*one.second);
}

void Injections::stop_agent(const std::string& agent) {
  const auto all = running_;
  for (const auto& one : all)
    if (one.second->owner == agent) stop(*one.second);
}

void Injections::stop_waiting(const std::string& agent) {
  const auto all = running_;
  for (const auto& one : all)
    if ((agent.empty() || one.second->owner == agent) && !one.second->handed_over) stop(*one.second);
}

void Injections::stop_guarded() {
  const auto all = running_;
  for (const auto& one : all)
    if (one.second->job.guarded) stop(*one.second);
}

void Injections::stop_purchase(const std::string& purchase) {
  const auto at = running_.find(purchase);
  if (at == running_.end()) return;
  const auto one = at->second;
  stop(*one);
}

}  // namespace popvault::daemon
