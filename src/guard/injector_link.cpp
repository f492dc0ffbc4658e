#include "guard/injector_link.hpp"

#include <utility>

#include "guard/hub.hpp"

namespace popvault::guard {
namespace {

constexpr std::size_t kMaxMessage = 16 * 1024 * 1024;
constexpr int kRefused = -32000;
const Json::Limits kParams{64 * 1024, 16};
const Json::Limits kEvent{16 * 1024 * 1024, 64};
constexpr std::int64_t kAnswerMs = 30'000;

}  // namespace

InjectorLink::InjectorLink(Hub& hub, const JobId& id, Strength strength, Descriptor stream)
    : hub_(hub), id_(id), strength_(strength),
      stream_(hub.loop, std::move(stream), {}, kMaxMessage,
              {[this](std::string_view text) { take(text); },
               [this] { hub_.loop.post([self = shared_from_this()] { self->end(); }); }, {}}) {}
InjectorLink::~InjectorLink() = default;

void InjectorLink::start() {
  stream_.pause_reading();
  hub_.link.call("Target.attachToBrowserTarget", {}, {}, [weak = weak_from_this(), &hub = hub_](const Json& result, bool ok) {
    const std::string session = result["sessionId"].text_or("");
    const auto self = weak.lock();
    if (!self || self->gone_ || !ok) {
      if (ok) hub.link.call("Target.detachFromTarget", Json::Object{{"sessionId", session}}, {});
      return;
    }
    self->root_ = session;
    hub.sessions.add(session, *self, {}, {}, Place::Kind::browser);
    self->stream_.resume_reading();
  });
}

void InjectorLink::end() {
  if (gone_) return;
  gone_ = true;
  if (writes_) hub_.link.stream().release(true);
  writes_ = false;
  hub_.pages.sealer_gone(this);
  hub_.link.forget(*this);
  // Its sessions stay until no answer is to come: without them the browser would let one through as it is, and follow a
  // redirect with the body.
  fail_held();
}

void InjectorLink::finish() {
  if (std::exchange(finished_, true)) return;
  hub_.sessions.remove_all(*this);
  if (!root_.empty()) hub_.link.call("Target.detachFromTarget", Json::Object{{"sessionId", root_}}, {});
  hub_.injector_gone(*this);
}

void InjectorLink::note_held(const CdpMessage& message, const Session& session) {
  const bool paused = message.method == "Fetch.requestPaused";
  if (!paused && message.method != "Network.loadingFailed" && message.method != "Network.loadingFinished") return;
  if (!paused && held_.empty()) return;
  const auto params = Json::parse(message.params, kEvent);
  if (!params) return;
  if (!paused) return request_over((*params)["requestId"].text_or(""));
  const std::string network = (*params)["networkId"].text_or("");
  if (!network.empty()) request_over(network);  // its answer, in the place of the request
  held_[(*params)["requestId"].text_or("")] = {session.id, network};
}

void InjectorLink::note_command(const CdpMessage& message) {
  if (held_.empty() || message.method.substr(0, 6) != "Fetch.") return;
  for (const std::string_view name : {"Fetch.continueRequest", "Fetch.continueResponse", "Fetch.failRequest", "Fetch.fulfillRequest"}) {
    if (message.method != name) continue;
    const auto params = Json::parse(message.params.empty() ? "{}" : message.params, kEvent);
    if (params) held_.erase((*params)["requestId"].text_or(""));
  }
}

void InjectorLink::request_over(const std::string& network) {
  for (auto at = held_.begin(); at != held_.end();)
    at = at->second.network == network ? held_.erase(at) : std::next(at);
}

void InjectorLink::fail_held() {
  if (held_.empty()) return finish();
  if (!last_) last_ = hub_.loop.after(kAnswerMs, [self = shared_from_this()] { self->finish(); });
  for (const auto& [id, held] : held_)
    hub_.link.call("Fetch.failRequest", Json::Object{{"requestId", id}, {"errorReason", "Aborted"}}, held.session,
                   [weak = weak_from_this(), &hub = hub_, name = id, session = held.session](const Json&, bool ok) {
                     const auto self = weak.lock();
                     if (!self || self->held_.count(name) == 0) return;
                     if (ok) {
                       self->held_.erase(name);
                       if (self->held_.empty()) self->finish();
                       return;
                     }
                     // It is on its way: what comes of it is failed when it comes, unless the page gives it up.
                     const Session* const known = hub.sessions.find(session);
                     const Page* const page = known == nullptr ? nullptr : hub.pages.of_target(known->target);
                     if (page != nullptr) hub.link.call("Page.stopLoading", {}, page->session);
                   });
}

void InjectorLink::take(std::string_view text) {
  const auto message = CdpMessage::scan(text);
  if (gone_) return;
  if (!message || !message->id || message->method.empty()) {
    hub_.loop.post([self = shared_from_this()] { self->end(); });
    return;
  }
  if (message->method.substr(0, 9) == "Popvault.") return popvault(*message->id, *message);
  const std::string_view session = message->session.empty() ? std::string_view(root_) : message->session;
  const Session* const known = hub_.sessions.find(session);
  if (known == nullptr || known->owner != this)
    return stream_.send(error_text(*message->id, kRefused, "Session with given id not found.", message->session));
  note_command(*message);
  hub_.link.forward(*this, *message->id, message->method, message->params.empty() ? "{}" : message->params, session);
}

void InjectorLink::reply(std::int64_t id, bool ok, std::string_view why) {
  stream_.send(ok ? result_text(id, "{}", {}) : error_text(id, kRefused, why, {}));
}

void InjectorLink::begin(std::int64_t id) {
  if (writes_) return reply(id, false, "begun already");
  writes_ = true;
  direct_ = hub_.link.expect(*this);
  hub_.link.stream().hold([self = shared_from_this(), id] {
    self->stream_.send(result_text(id, "{\"id\":" + std::to_string(self->direct_) + "}", {}));
  });
}

void InjectorLink::popvault(std::int64_t id, const CdpMessage& message) {
  const auto params = Json::parse(message.params.empty() ? "{}" : message.params, kParams);
  if (!params) return reply(id, false, "params");
  if (message.method == "Popvault.begin") return begin(id);
  if (message.method == "Popvault.end") {
    if (!writes_) return reply(id, false, "not begun");
    writes_ = false;
    hub_.link.stream().release(false);
    return reply(id, true);
  }
  const std::string page = (*params)["targetId"].text_or("");
  if (message.method == "Popvault.open") return open(id, (*params)["url"].text_or(""), (*params)["own"].bool_or(false));
  std::string why = "unknown method";
  if (message.method == "Popvault.seal") {
    std::vector<std::string> frames;
    if (const auto* const names = (*params)["frameIds"].array(); names != nullptr)
      for (const Json& name : *names) frames.push_back(name.text_or(""));
    return hub_.pages.look(page, [weak = weak_from_this(), &hub = hub_, id, page, frames] {
      const auto self = weak.lock();
      if (!self || self->gone_) return;
      hub.pages.seal(self.get(), page, frames, [weak, id](const std::string& said) {
        if (const auto one = weak.lock(); one && !one->gone_) one->reply(id, said.empty(), said);
      });
    });
  }
  if (message.method == "Popvault.unseal") {
    why = hub_.pages.unseal(page);
  } else if (message.method == "Popvault.redact") {
    why = hub_.pages.redact(page);
  }
  reply(id, why.empty(), why);
}

void InjectorLink::open(std::int64_t id, const std::string& url, bool own) {
  if (!url_allowed(url)) return reply(id, false, "this URL is not allowed");
  hub_.open_page(url, own, this, [weak = weak_from_this(), &hub = hub_, id](const std::string& target) {
    const auto self = weak.lock();
    if (!self || self->gone_) {
      // Nobody waits for it.
      if (!target.empty()) hub.link.call("Target.closeTarget", Json::Object{{"targetId", target}}, {});
      return;
    }
    if (target.empty()) return self->reply(id, false, "the page could not be opened");
    self->stream_.send(result_text(id, Json(Json::Object{{"targetId", target}}).dump(), {}));
  });
}

void InjectorLink::answer(std::int64_t id, const CdpMessage& message) {
  // Its own session's name is not told to it.
  if (!gone_) stream_.send(answer_text(id, message, message.session == root_ ? std::string_view{} : message.session));
}

void InjectorLink::event(const CdpMessage& message, Session& session) {
  if (finished_) return;
  note_held(message, session);
  if (gone_) {
    if (message.method == "Fetch.requestPaused" || held_.empty()) fail_held();
    return;
  }
  if (message.method == "Target.attachedToTarget" || message.method == "Target.detachedFromTarget") {
    const auto params = Json::parse(message.params, {1024 * 1024, 64});
    if (!params) return;
    const std::string id = (*params)["sessionId"].text_or("");
    const Json& info = (*params)["targetInfo"];
    if (message.method == "Target.detachedFromTarget") hub_.sessions.remove(id);
    else hub_.sessions.add(id, *this, session.id, info["targetId"].text_or(""), kind_of(info["type"].text_or("")));
  }
  stream_.send(event_text(message.method, message.params, session.id == root_ ? std::string_view{} : std::string_view(session.id)));
}

}  // namespace popvault::guard
