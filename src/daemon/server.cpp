#include "daemon/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "daemon/dispatch.hpp"
#include "log/log.hpp"
#include "os/closer.hpp"
#include "os/hardening.hpp"
#include "os/socket.hpp"

namespace popvault::daemon {
namespace {

constexpr std::size_t kMostAgents = 1024;
constexpr std::size_t kMostOwners = 64;  // counted apart: agents cannot keep the owner out
constexpr std::size_t kMaxLine = 64 * 1024;
constexpr unsigned kMostInWork = 16;
constexpr std::size_t kMostUnread = 1024 * 1024;        // of an owner's connection
constexpr std::size_t kMostUnreadByAgent = 256 * 1024;  // the longest answer is a page of 100 views
constexpr unsigned kMostLinesATurn = 8;                 // so that others come in between
constexpr std::int64_t kHalfLineMs = 10'000;
constexpr std::int64_t kIdleMs = 600'000;
constexpr std::int64_t kUnknownIdleMs = 60'000;  // on agent.sock before session.hello
constexpr std::int64_t kNoDescriptorMs = 200;

// Never so many that the owner, a fill and the files find no descriptor left.
std::size_t most_agents() {
  constexpr std::size_t kReserve = 2 * kMostOwners + 64;
  const std::size_t limit = descriptor_limit();
  return limit < kReserve + 1 ? 1 : std::min(kMostAgents, limit - kReserve);
}

}  // namespace

class Server::Connection : public std::enable_shared_from_this<Server::Connection> {
 public:
  Connection(Server& server, Descriptor fd, Peer peer) : server_(&server), fd_(std::move(fd)), peer_(std::move(peer)) {}

  void start() {
    watch_ = server_->app_->loop.watch(fd_.get(), [this] { readable(); });
    arm();
  }
  Peer& peer() noexcept { return peer_; }
  bool open() const noexcept { return !closed_; }

  // A line without its end; queued and sent as the peer takes it.
  void send(const std::string& line, Descriptor passed = {}) {
    if (closed_) return;
    if (passed) flush();
    // It goes with the first byte of its line, so nothing may stand before that.
    if (passed && !out_.empty()) return close();
    out_.append(line).push_back('\n');
    if (passed) passing_ = std::move(passed);
    flush();
    if (out_.size() > (peer_.door == Door::agent ? kMostUnreadByAgent : kMostUnread)) close();
  }
  void close() {
    if (std::exchange(closed_, true)) return;
    watch_.reset();
    timer_.reset();
    // The peer reads the end at once, whoever else holds the socket and however long its closing takes.
    shutdown(fd_.get(), SHUT_RDWR);
    // What the peer left in its queue may block in close().
    close_elsewhere(std::move(fd_), side());
    close_elsewhere(std::move(passed_), side());
    close_elsewhere(std::move(file_), side());
    server_->app_->loop.post([server = server_, id = peer_.id] { server->drop(id); });
  }

 private:
  Closing side() const noexcept { return peer_.door == Door::agent ? Closing::agents : Closing::owners; }

  void readable() {
    // Descriptors of others that do not close have piled up: nothing more is taken in.
    if (closing(side()) >= kMostClosing) return close();
    std::array<std::uint8_t, 16 * 1024> buffer;
    auto got = receive(fd_.get(), buffer);
    if (!got) return close();
    if (got->would_block) return;
    if (got->data.size == 0) return close();
    in_.append(as_text(ByteView(buffer).first(got->data.size)));
    const bool whole = in_.back() == '\n';
    // A descriptor belongs to the last line that its bytes touch: it came with that line's first byte.
    for (Descriptor& descriptor : got->data.descriptors) take_descriptor(std::move(descriptor), whole);
    take_lines(whole);
  }

  // On owner.sock a line may bring a bundle, as secret memory or as a pipe, and a file; anything else is closed
  // elsewhere.
  void take_descriptor(Descriptor descriptor, bool whole) {
    const PassedKind kind = kind_of_passed(descriptor.get());
    Descriptor& place = kind == PassedKind::file ? file_ : passed_;
    if (peer_.door != Door::owner || place || kind == PassedKind::other) return close_elsewhere(std::move(descriptor), side());
    place = kind == PassedKind::pipe ? reopen_pipe(std::move(descriptor)) : std::move(descriptor);
    passed_at_end_ = whole;
  }

  void take_lines(bool whole) {
    std::size_t end = 0;
    unsigned taken = 0;
    while (!closed_ && in_work_ < kMostInWork && (end = in_.find('\n')) != std::string::npos) {
      if (taken++ == kMostLinesATurn) return next_turn();
      const std::string line = in_.substr(0, end);
      in_.erase(0, end + 1);
      half_timed_ = false;
      // With a passed descriptor the line is the last one of what has come.
      const bool last = in_.find('\n') == std::string::npos && (in_.empty() || !whole);
      Passed passed;
      if (last && (in_.empty() || passed_at_end_)) {
        passed.bundle = std::move(passed_);
        passed.file = std::move(file_);
      }
      handle(line, std::move(passed));
    }
    if (closed_) return;
    if (in_.size() > kMaxLine && in_.find('\n') == std::string::npos) {
      send(error_line(nullptr, {Errc::too_large, {}}));
      return close();
    }
    if (in_work_ >= kMostInWork) watch_->pause();
    arm();
  }

  // The rest of what has come, after the others.
  void next_turn() {
    watch_->pause();
    server_->app_->loop.post([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || self->closed_) return;
      self->watch_->resume();
      self->take_lines(false);
    });
  }

  void handle(const std::string& line, Passed passed) {
    ++in_work_;
    dispatch(*server_->app_, peer_, line, std::move(passed), [weak = weak_from_this()](std::string reply, Descriptor with) {
      const auto self = weak.lock();
      if (!self || self->closed_) return;
      self->send(reply, std::move(with));
      self->answered();
    });
  }

  void answered() {
    const bool was_full = in_work_-- == kMostInWork;
    if (closed_) return;
    arm();
    if (!was_full) return;
    next_turn();  // not from inside a handler
  }

  void flush() {
    if (closed_ || writing_) return;
    const int passing = passing_.get();
    const auto sent = send_some(fd_.get(), as_bytes(out_), std::span(&passing, passing_ ? 1 : 0));
    if (!sent) return close();
    if (*sent > 0) passing_.reset();
    out_.erase(0, *sent);
    if (out_.empty()) return;
    writing_ = true;
    watch_->when_writable([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->writing_ = false;
      self->flush();
    });
  }

  // One timer: for the rest of a half-sent line, else for the next request. One that waits is left alone.
  void arm() {
    const bool half = !in_.empty() && in_work_ < kMostInWork;
    // A line that comes in drops does not get more time with each drop.
    if (half && half_timed_) return;
    half_timed_ = half;
    timer_.reset();
    if (!half && (in_work_ > 0 || peer_.subscribed)) return;
    const std::int64_t idle = peer_.door == Door::agent && peer_.caller.agent.empty() ? kUnknownIdleMs : kIdleMs;
    timer_ = server_->app_->loop.after(half ? kHalfLineMs : idle, [this] {
      if (!in_.empty()) send(error_line(nullptr, {Errc::timeout, {}}));
      close();
    });
  }

  Server* server_;
  Descriptor fd_;
  Peer peer_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Timer> timer_;
  std::string in_, out_;
  Descriptor passed_, file_;
  Descriptor passing_;
  bool passed_at_end_ = false;
  unsigned in_work_ = 0;
  bool half_timed_ = false;
  bool writing_ = false;
  bool closed_ = false;
};

Server::Server(Application& app, Descriptor agent_socket, Descriptor owner_socket) : app_(&app) {
  listening_[0] = std::move(agent_socket);
  listening_[1] = std::move(owner_socket);
  for (const Door door : {Door::agent, Door::owner}) {
    const auto i = static_cast<std::size_t>(door);
    fcntl(listening_[i].get(), F_SETFL, O_NONBLOCK);
    watches_[i] = app.loop.watch(listening_[i].get(), [this, door] { accept_from(door); });
  }
  app.close_agent = [this](const std::string& agent) { close_agent(agent); };
  app.connections_of = [this](const std::string& agent) {
    return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), [&](const auto& entry) {
      return entry.second->peer().door == Door::agent && entry.second->peer().caller.agent == agent;
    }));
  };
  app.tell_owner = [this](std::string_view what) {
    Json params;
    params.set("what", what);
    tell(Door::owner, "", std::move(params));
  };
  app.watched = [this] {
    return std::any_of(connections_.begin(), connections_.end(),
                       [](const auto& entry) { return entry.second->peer().watcher && entry.second->open(); });
  };
  watcher_ = app.watchers.add([this](const std::string& purchase, const std::string& agent, const std::string& status) {
    Json params;
    params.set("purchase", purchase);
    params.set("status", status);
    tell(Door::agent, agent, params);
    params.set("what", "purchase");
    tell(Door::owner, "", std::move(params));
  });
}

Server::~Server() {
  app_->watchers.remove(watcher_);
  app_->tell_owner = nullptr;
  app_->watched = nullptr;
}

// Agents hear of their own purchases only.
void Server::tell(Door door, std::string_view agent, Json params) {
  Json event;
  event.set("jsonrpc", "2.0");
  event.set("method", "event");
  event.set("params", std::move(params));
  const std::string line = event.dump();
  const auto all = connections_;
  for (const auto& entry : all) {
    const Peer& peer = entry.second->peer();
    if (peer.subscribed && peer.door == door && (door == Door::owner || peer.caller.agent == agent)) entry.second->send(line);
  }
}

void Server::wait_a_little(Door door) {
  watches_[static_cast<std::size_t>(door)]->pause();
  no_descriptor_ = app_->loop.after(kNoDescriptorMs, [this] {
    for (auto& watch : watches_)
      if (watch) watch->resume();
  });
}

void Server::accept_from(Door door) {
  const auto i = static_cast<std::size_t>(door);
  if (door == Door::agent && closing(Closing::agents) >= kMostClosing) return wait_a_little(door);
  Descriptor fd(accept4(listening_[i].get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) {
    if (errno != EMFILE && errno != ENFILE) return;
    // The waiting connection stays readable: look again a little later instead of at once.
    return wait_a_little(door);
  }
  auto identity = peer_identity(fd.get());
  const auto refuse = [&](Errc code) {
    (void)send_some(fd.get(), as_bytes(error_line(nullptr, {code, {}}) + "\n"));
    close_elsewhere(std::move(fd), door == Door::agent ? Closing::agents : Closing::owners);
  };
  if (!identity || identity->uid != geteuid()) return refuse(Errc::wrong_peer);
  if (count_[i] >= (door == Door::agent ? most_agents() : kMostOwners)) return refuse(Errc::too_many_connections);
  Peer peer;
  peer.id = next_id_++;
  peer.door = door;
  peer.caller.identity = std::move(*identity);
  const auto connection = std::make_shared<Connection>(*this, std::move(fd), std::move(peer));
  ++count_[i];
  connections_.emplace(connection->peer().id, connection);
  connection->start();
}

void Server::drop(std::uint64_t id) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) return;
  --count_[static_cast<std::size_t>(at->second->peer().door)];
  app_->sightings.left(id);
  connections_.erase(at);
}

void Server::close_agent(const std::string& agent) {
  const auto all = connections_;
  for (const auto& entry : all)
    if (entry.second->peer().caller.agent == agent) entry.second->close();
}

void Server::close_all() {
  watches_[0].reset();
  watches_[1].reset();
  const auto all = connections_;
  for (const auto& entry : all) entry.second->close();
}

}  // namespace popvault::daemon
