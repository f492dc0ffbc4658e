#include "client/connection.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include "os/socket.hpp"

namespace popvault::client {
namespace {

std::string request_line(std::int64_t id, std::string_view method, const Json& params) {
  Json request(Json::Object{{"id", id}, {"jsonrpc", "2.0"}, {"method", method}});
  if (!params.is_null()) request.set("params", params);
  return request.dump() + "\n";
}

// Ours, or an error that came before the daemon could read our id.
bool answers(const Json& reply, std::int64_t id) {
  const Json& got = reply["id"];
  if (const auto* number = got.integer()) return *number == id;
  return got.is_null() && reply.find("error") != nullptr;
}

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

tl::unexpected<Error> closed() { return fail(Errc::daemon_unreachable, "it closed the connection"); }

}  // namespace

Result<Connection> Connection::open(const std::string& socket_path) {
  PV_ASSIGN(Descriptor socket, connect_unix(socket_path));
  PV_ASSIGN(const PeerIdentity peer, peer_identity(socket.get()));
  if (peer.uid != geteuid()) return fail(Errc::wrong_peer, "another user listens on " + socket_path);
  return Connection(std::move(socket));
}

Status Connection::read_more(Time deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return fail(Errc::timeout);
  pollfd wait{socket_.get(), POLLIN, 0};
  const int ready = poll(&wait, 1, static_cast<int>(left.count()));
  if (ready < 0 && errno != EINTR) return fail_errno(errno, "poll");
  if (ready <= 0) return {};  // the deadline is looked at again
  std::array<std::uint8_t, 16 * 1024> part;
  PV_ASSIGN(ReceiveResult got, receive(socket_.get(), part));
  if (got.would_block) return {};
  if (got.data.size == 0) return closed();
  if (!passed_ && !got.data.descriptors.empty()) passed_ = std::move(got.data.descriptors.front());
  pending_.append(as_text(ByteView(part).first(got.data.size)));
  return {};
}

std::optional<std::string> Connection::whole_line() {
  const std::size_t end = pending_.find('\n', searched_);
  if (end == std::string::npos) {
    searched_ = pending_.size();
    return std::nullopt;
  }
  std::string line = pending_.substr(0, end);
  pending_.erase(0, end + 1);
  searched_ = 0;
  return line;
}

Result<std::string> Connection::next_line(Time deadline) {
  while (true) {
    if (auto line = whole_line()) return std::move(*line);
    if (pending_.size() > kMaxReply) return fail(Errc::too_large, "the daemon's reply");
    PV_TRY(read_more(deadline));
  }
}

// A notification has a method and no id.
void Connection::keep(const Json& message) {
  if (!keeping_ || message["method"].text_or("") != "event" || message.find("id") != nullptr) return;
  if (events_.size() == kMostEvents) events_.pop_front();
  events_.push_back(message["params"]);
}

Result<std::optional<Json>> Connection::next_event() {
  while (events_.empty()) {
    if (const auto line = whole_line()) {
      PV_ASSIGN(const Json message, Json::parse(*line, Json::Limits{kMaxReply, 24}));
      keep(message);
      continue;
    }
    if (pending_.size() > kMaxReply) return fail(Errc::too_large, "the daemon's event");
    pollfd ready{socket_.get(), POLLIN, 0};
    if (poll(&ready, 1, 0) <= 0) return std::optional<Json>();
    PV_TRY(read_more(std::chrono::steady_clock::now() + std::chrono::seconds(1)));
  }
  std::optional<Json> out(std::move(events_.front()));
  events_.pop_front();
  return out;
}

Reply Connection::call(std::string_view method, const Json& params, const CallOptions& options) {
  const std::int64_t id = ++last_id_;
  passed_.reset();
  const Time deadline = std::chrono::steady_clock::now() + options.timeout;
  const std::string line = request_line(id, method, params);
  if (line.size() > Json::Limits{}.size) return fail(Errc::too_large);
  std::vector<int> passed;
  for (const int descriptor : {options.descriptor, options.file})
    if (descriptor >= 0) passed.push_back(descriptor);
  // A daemon that closes early may have said why before: so the reply is read also when sending failed.
  const Status sent = send_all(socket_.get(), as_bytes(line), passed);
  while (true) {
    auto text = next_line(deadline);
    if (!text) return tl::unexpected<Refusal>(sent ? std::move(text.error()) : closed().value());
    PV_ASSIGN(const Json reply, Json::parse(*text, Json::Limits{kMaxReply, 24}));
    if (!answers(reply, id)) {  // an event, or the late answer to a call that was given up
      keep(reply);
      continue;
    }
    if (const Json* error = reply.find("error")) {
      passed_.reset();
      return tl::unexpected<Refusal>(refusal_of(*error));
    }
    if (options.received != nullptr) *options.received = std::move(passed_);
    passed_.reset();
    return reply["result"];
  }
}

Refusal refusal_of(const Json& error) {
  const Json& data = error["data"];
  std::string message = error["message"].text_or("");
  const ErrcInfo* known = find_errc(data["reason"].text_or(""));
  if (known == nullptr) return {Error{Errc::internal, message}, data};
  // The message is "text" or "text: detail"; Error puts the text in front again.
  if (message == known->text) return {Error{known->errc, {}}, data};
  const std::string head = std::string(known->text) + ": ";
  if (message.starts_with(head)) message.erase(0, head.size());
  return {Error{known->errc, std::move(message)}, data};
}

Status check_home(const Json& hello, const std::string& expected) {
  const std::string home = hello["home"].text_or("");
  if (home == expected || (!home.empty() && real_path(home) == real_path(expected))) return {};
  return fail(Errc::wrong_home, home);
}

}  // namespace popvault::client
