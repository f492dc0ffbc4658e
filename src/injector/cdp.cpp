#include "injector/cdp.hpp"

#include "injector/http.hpp"

namespace popvault::injector {
namespace {

// DOM.getDocument nests as deep as the page does, two levels of JSON each.
constexpr Json::Limits kLimits{.size = kMaxMessage, .depth = 2048};

// Behind the guard the ids of frames are the browser's own; ours stay clear of them.
constexpr Cdp::Id kFirstGuarded = 1'000'000'000;

}  // namespace

Cdp::Cdp(Channel& channel, bool guarded)
    : channel_(channel), guarded_(guarded), next_(guarded ? kFirstGuarded : 0) {
  if (guarded) channel_.use_guard();
}

Step<Bytes> Cdp::http(std::string_view request, bool upgrade) {
  PV_TRY(channel_.write_browser(as_bytes(request)));
  HttpHead head;
  Bytes data;
  while (true) {
    const Parse parsed = parse_http_head(data, head);
    const std::size_t body = upgrade ? 0 : head.content_length.value_or(0);
    if (parsed == Parse::malformed || body > kMaxHttpBody) return stop(Outcome::browser_unreachable);
    if (parsed == Parse::done && data.size() >= head.size + body) break;
    PV_TRY(channel_.read_browser(data));
  }
  if (head.status != (upgrade ? 101 : 200) || head.upgrades_to_websocket != upgrade)
    return stop(Outcome::browser_unreachable);
  data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(head.size));
  return data;
}

Step<void> Cdp::open() {
  if (guarded_) return {};
  PV_ASSIGN(const Bytes body, http(version_request(), false));
  const auto version = Json::parse(as_text(body));
  if (!version) return stop(Outcome::browser_unreachable);
  const auto path = websocket_path((*version)["webSocketDebuggerUrl"].text_or(""));
  if (!path) return stop(Outcome::browser_unreachable);
  PV_ASSIGN(const Bytes rest, http(upgrade_request(*path), true));
  reader_.feed(rest);
  return {};
}

void Cdp::queue(Opcode opcode, ByteView payload) {
  if (guarded_) {
    out_.insert(out_.end(), payload.begin(), payload.end());
    out_.push_back(0);
    return;
  }
  std::array<std::uint8_t, kMaxFrameHead> head{};
  const auto mask = fresh_mask();
  const std::size_t head_size = write_frame_head(head, opcode, payload.size(), mask);
  out_.insert(out_.end(), head.begin(), head.begin() + static_cast<std::ptrdiff_t>(head_size));
  const std::size_t at = out_.size();
  out_.insert(out_.end(), payload.begin(), payload.end());
  apply_mask(std::span(out_).subspan(at), mask);
}

Cdp::Id Cdp::send(std::string_view method, Json params, std::string_view session) {
  Json message;
  message.set("id", ++next_);
  message.set("method", method);
  if (!params.is_null()) message.set("params", std::move(params));
  if (!session.empty()) message.set("sessionId", session);
  queue(Opcode::text, as_bytes(message.dump()));
  if (!session.empty()) unanswered_.emplace(next_, session);
  return next_;
}

void Cdp::begin_frame(SecretFrame& frame, std::string_view method, std::string_view session) {
  frame.plain("{\"sessionId\":").plain(json_quote(session));
  frame.plain(",\"method\":").plain(json_quote(method)).plain(",\"params\":");
}

Step<Cdp::Id> Cdp::send_open(SecretFrame& frame, std::string_view session) {
  const Id id = ++next_;
  frame.plain(",\"id\":").plain(std::to_string(id)).plain("}");
  unanswered_.emplace(id, session);
  PV_TRY(flush());
  PV_TRY(channel_.write_browser(guarded_ ? frame.seal_with_zero() : frame.seal()));
  return id;
}

Step<Cdp::Id> Cdp::send_secret(SecretFrame& frame, std::string_view session) {
  return guarded_ ? write_past_guard(frame, session) : send_open(frame, session);
}

Step<Cdp::Id> Cdp::write_past_guard(SecretFrame& frame, std::string_view session) {
  const auto begun = ask_guard("Popvault.begin");
  const Step<void> wanted = begun ? channel_.still_wanted() : tl::unexpected(begun.error());
  if (!wanted) {
    // The pipe may be ours by now; nothing was written to it.
    send("Popvault.end");
    return tl::unexpected(wanted.error());
  }
  const Id id = (*begun)["id"].int_or(0);
  if (id <= 0 || id >= kFirstGuarded) return stop(Outcome::guard_lost);
  frame.plain(",\"id\":").plain(std::to_string(id)).plain("}");
  unanswered_.emplace(id, session);
  PV_TRY(channel_.write_pipe(frame.seal_with_zero()));
  send("Popvault.end");
  PV_TRY(flush());
  return id;
}

Step<Json> Cdp::ask_guard(std::string_view method, Json params) {
  PV_ASSIGN(Reply reply, wait(send(method, std::move(params))));
  if (!reply.ok) return stop(Outcome::guard_lost);
  return std::move(reply.result);
}

void Cdp::feed() {
  if (guarded_)
    stream_.feed(in_);
  else
    reader_.feed(in_);
}

Step<void> Cdp::flush() {
  if (out_.empty()) return {};
  PV_TRY(channel_.write_browser(out_));
  out_.clear();
  return {};
}

Step<Cdp::Reply> Cdp::wait(Id id) {
  PV_TRY(flush());
  while (true) {
    PV_TRY(deliver());
    if (const auto found = replies_.find(id); found != replies_.end()) {
      Reply out = std::move(found->second);
      replies_.erase(found);
      return out;
    }
    in_.clear();
    PV_TRY(channel_.read_browser(in_));
    feed();
  }
}

void Cdp::ended(std::string_view session) {
  std::erase_if(unanswered_, [&](const auto& item) {
    if (item.second != session) return false;
    replies_[item.first] = Reply{};
    return true;
  });
}

Step<void> Cdp::poll(Clock::time_point until) {
  PV_TRY(flush());
  in_.clear();
  PV_TRY(channel_.read_browser(in_, until));
  feed();
  return deliver();
}

Step<void> Cdp::pump() {
  in_.clear();
  PV_TRY(channel_.read_ready(in_));
  feed();
  return deliver();
}

Step<void> Cdp::deliver() {
  while (const auto message = guarded_ ? stream_.next() : reader_.next())
    if (!take_message(*message)) return stop(Outcome::failed);
  if (const auto ping = reader_.take_ping()) queue(Opcode::pong, *ping);
  // Also what the listener had to say.
  PV_TRY(flush());
  if (reader_.failed() || stream_.failed()) return stop(Outcome::failed);
  if (reader_.closed()) return stop(Outcome::browser_unreachable);
  return {};
}

bool Cdp::take_message(std::string_view text) {
  auto message = Json::parse(text, kLimits);
  if (!message) return false;
  if (const Json* id = message->find("id")) {
    const Json* result = message->find("result");
    unanswered_.erase(id->int_or(0));
    replies_[id->int_or(0)] = Reply{result != nullptr, result != nullptr ? *result : Json()};
    return true;
  }
  const Event event{(*message)["method"].text_or(""), (*message)["sessionId"].text_or(""), (*message)["params"]};
  for (const Listener& listener : listeners_) listener(event);
  return true;
}

}  // namespace popvault::injector
