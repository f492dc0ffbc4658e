#include "guard/injector_link.hpp"

#include "guard/hub.hpp"

namespace popvault::guard {
namespace {

constexpr std::size_t kMaxMessage = 16 * 1024 * 1024;
constexpr int kRefused = -32000;
const Json::Limits kParams{64 * 1024, 16};

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
  hub_.sessions.remove_all(*this);
  if (!root_.empty()) hub_.link.call("Target.detachFromTarget", Json::Object{{"sessionId", root_}}, {});
  hub_.injector_gone(*this);
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
  if (message.method == "Popvault.open") return open(id, (*params)["url"].text_or(""));
  std::string why = "unknown method";
  if (message.method == "Popvault.seal") {
    std::vector<std::string> frames;
    if (const auto* const names = (*params)["frameIds"].array(); names != nullptr)
      for (const Json& name : *names) frames.push_back(name.text_or(""));
    return hub_.pages.look(page, [weak = weak_from_this(), &hub = hub_, id, page, frames] {
      const auto self = weak.lock();
      if (!self || self->gone_) return;
      const std::string said = hub.pages.seal(self.get(), page, frames);
      self->reply(id, said.empty(), said);
    });
  }
  if (message.method == "Popvault.unseal") {
    why = hub_.pages.unseal(page);
  } else if (message.method == "Popvault.redact") {
    why = hub_.pages.redact(page);
  }
  reply(id, why.empty(), why);
}

void InjectorLink::open(std::int64_t id, const std::string& url) {
  if (!url_allowed(url)) return reply(id, false, "this URL is not allowed");
  hub_.open_page(url, this, [weak = weak_from_this(), &hub = hub_, id](const std::string& target) {
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
  if (gone_) return;
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
