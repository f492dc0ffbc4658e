#include "guard/agent.hpp"

#include "guard/hub.hpp"

namespace popvault::guard {
namespace {

constexpr std::size_t kUnread = 8 * 1024 * 1024;
constexpr std::size_t kMaxPending = 4096;
constexpr int kRefused = -32000;
constexpr int kNoSession = -32001;
const Json::Limits kParams{32 * 1024 * 1024, 200};
const Json::Limits kEvent{64 * 1024 * 1024, 200};

// Commands of the browser session whose missing browserContextId means the default one.
bool takes_context(std::string_view method) {
  for (const std::string_view name :
       {"Target.createTarget", "Storage.getCookies", "Storage.setCookies", "Storage.clearCookies",
        "Browser.setDownloadBehavior", "Browser.grantPermissions", "Browser.resetPermissions", "Browser.setPermission"})
    if (method == name) return true;
  return false;
}

}  // namespace

struct Agent::Pending {
  std::int64_t id = 0;  // the client's
  std::string session, method;
  Json params;          // where the answer has to be looked at
};

Agent::Agent(Hub& hub, std::shared_ptr<Socket> socket, std::string page)
    : hub_(hub), socket_(std::move(socket)), page_(std::move(page)) {}
Agent::~Agent() = default;

void Agent::start() {
  socket_->pause_reading();
  paused_ = true;
  const std::weak_ptr<Agent> weak = weak_from_this();
  hub_.link.call("Target.attachToBrowserTarget", {}, {}, [weak, &hub = hub_](const Json& result, bool ok) {
    const std::string session = result["sessionId"].text_or("");
    const auto self = weak.lock();
    if (!self || self->gone_) {
      if (ok) hub.link.call("Target.detachFromTarget", Json::Object{{"sessionId", session}}, {});
      return;
    }
    if (!ok) return self->socket_->close();
    self->browser_session_ = session;
    hub.sessions.add(session, *self, {}, {}, Place::Kind::browser);
    if (self->page_.empty()) return self->begin(session);
    hub.link.call("Target.attachToTarget", Json::Object{{"targetId", self->page_}, {"flatten", true}}, session,
                  [weak, &hub, session](const Json& page, bool attached) {
                    const auto agent = weak.lock();
                    if (!agent || agent->gone_) return;
                    if (!attached) return agent->socket_->close();
                    const std::string id = page["sessionId"].text_or("");
                    const Target* const target = hub.targets.find(agent->page_);
                    hub.sessions.add(id, *agent, session, agent->page_, target ? kind_of(target->type) : Place::Kind::page);
                    agent->begin(id);
                  });
  });
}

void Agent::begin(std::string root) {
  root_ = std::move(root);
  paused_ = false;
  regulate();
}

void Agent::regulate() {
  if (gone_ || root_.empty()) return;
  if (paused_ || socket_->queued() > kUnread || pending_.size() > kMaxPending)
    socket_->pause_reading();
  else
    socket_->resume_reading();
}
void Agent::pause(bool paused) {
  paused_ = paused || root_.empty();
  regulate();
}
void Agent::drained() { regulate(); }

void Agent::closed() {
  if (gone_) return;
  gone_ = true;
  hub_.link.forget(*this);
  hub_.sessions.remove_all(*this);
  if (!browser_session_.empty()) hub_.link.call("Target.detachFromTarget", Json::Object{{"sessionId", browser_session_}}, {});
  hub_.agent_gone(*this);
}

void Agent::refuse(std::int64_t id, std::string_view why, std::string_view session) {
  socket_->send(error_text(id, kRefused, why, session));
}

void Agent::message(std::string_view text) {
  const auto scanned = CdpMessage::scan(text);
  if (!scanned || !scanned->id || scanned->method.empty() || !scanned->result.empty() || !scanned->error.empty())
    return socket_->close();
  Session* const session = hub_.sessions.find(scanned->session.empty() ? std::string_view(root_) : scanned->session);
  if (session == nullptr || session->owner != this || session->hidden || (!page_.empty() && session->id == browser_session_))
    return socket_->send(error_text(*scanned->id, kNoSession, "Session with given id not found.", scanned->session));
  command(*scanned->id, *scanned, *session);
  regulate();
}

void Agent::command(std::int64_t id, const CdpMessage& message, Session& session) {
  Json params = Json::Object{};
  if (!message.params.empty()) {
    auto parsed = Json::parse(message.params, kParams);
    if (!parsed || parsed->object() == nullptr) return refuse(id, "params are not an object in strict JSON", message.session);
    params = std::move(*parsed);
  }
  Ruling ruling = rule_command(message.method, params, hub_.place_of(session));
  if (ruling.verdict == Ruling::Verdict::refuse) return refuse(id, ruling.why, message.session);
  if (ruling.verdict == Ruling::Verdict::answer)
    return socket_->send(result_text(id, ruling.result.is_null() ? "{}" : ruling.result.dump(), message.session));
  if (ruling.params) params = std::move(*ruling.params);
  bool changed = ruling.params.has_value();
  if (session.kind == Place::Kind::browser && takes_context(message.method) && params.find("browserContextId") == nullptr) {
    params.set("browserContextId", hub_.context);
    changed = true;
  }
  const std::string text = changed ? params.dump() : std::string(message.params);
  forward(id, message.method, text, session);
}

void Agent::forward(std::int64_t id, std::string_view method, std::string_view params, Session& session) {
  const std::int64_t ours = ++last_;
  pending_[ours] = {id, session.id, std::string(method), {}};
  hub_.link.forward(*this, ours, method, params, session.id);
}

void Agent::answer(std::int64_t ours, const CdpMessage& message) {
  const auto found = pending_.find(ours);
  if (found == pending_.end() || gone_) return;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  socket_->send(answer_text(pending.id, message, name_of(pending.session)));
  regulate();
}

void Agent::send_event(std::string_view method, const Json& params, std::string_view session) {
  socket_->send(event_text(method, params.dump(), name_of(session)));
}

void Agent::attached(const CdpMessage& message, Session& session) {
  const auto params = Json::parse(message.params, kEvent);
  if (!params) return;
  const Json& info = (*params)["targetInfo"];
  const std::string id = (*params)["sessionId"].text_or("");
  Session& child = hub_.sessions.add(id, *this, session.id, info["targetId"].text_or(""), kind_of(info["type"].text_or("")));
  child.waiting = (*params)["waitingForDebugger"].bool_or(false);
}

void Agent::event(const CdpMessage& message, Session& session) {
  if (gone_) return;
  if (message.method == "Target.attachedToTarget") attached(message, session);
  if (message.method == "Target.detachedFromTarget")
    if (const auto params = Json::parse(message.params, kEvent)) hub_.sessions.remove((*params)["sessionId"].text_or(""));
  if (!page_.empty() && session.id == browser_session_) return;
  const Place place = hub_.place_of(session);
  switch (event_rule(message.method, place)) {
    case EventRule::drop:
      return;
    case EventRule::pass:
      return socket_->send(event_text(message.method, message.params, name_of(session.id)));
    case EventRule::look:
      break;
  }
  auto params = Json::parse(message.params.empty() ? "{}" : message.params, kEvent);
  if (!params) return;
  if (const auto allowed = rule_event(message.method, std::move(*params), place)) send_event(message.method, *allowed, session.id);
}

}  // namespace popvault::guard
