#include "guard/agent.hpp"

#include "guard/hub.hpp"

namespace popvault::guard {
namespace {

constexpr std::size_t kUnread = 8 * 1024 * 1024;
constexpr std::size_t kMaxPending = 4096;
constexpr int kRefused = -32000;
constexpr int kNoSession = -32001;
const Json::Limits kParams{32 * 1024 * 1024, 200};

// Commands of the browser session whose missing browserContextId means the default one.
bool takes_context(std::string_view method) {
  for (const std::string_view name :
       {"Target.createTarget", "Storage.getCookies", "Storage.setCookies", "Storage.clearCookies",
        "Browser.setDownloadBehavior", "Browser.grantPermissions", "Browser.resetPermissions", "Browser.setPermission"})
    if (method == name) return true;
  return false;
}

bool is_remembered(std::string_view method) {
  return method == "Page.addScriptToEvaluateOnNewDocument" || method == "Runtime.addBinding";
}

}  // namespace

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
                    const Target* const target = hub.targets.find(agent->page_);
                    if (!attached || target == nullptr || !hub.visible(*target)) return agent->socket_->close();
                    const std::string id = page["sessionId"].text_or("");
                    hub.sessions.add(id, *agent, session, agent->page_, kind_of(target->type));
                    hub.pages.touched(agent->page_);
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
  const auto renewal = renewals_.find(scanned->session.empty() ? std::string_view(root_) : scanned->session);
  if (renewal != renewals_.end()) return renewal->second.messages.emplace_back(text), void();
  Session* const session = scanned->session.empty() ? hub_.sessions.find(root_) : hub_.sessions.find(*this, scanned->session);
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
  if (in_no_world(id, message, params)) return;
  Ruling ruling = rule_command(message.method, params, hub_.place_of(session));
  if (ruling.verdict == Ruling::Verdict::refuse) return refuse(id, ruling.why, message.session);
  if (ruling.verdict == Ruling::Verdict::answer)
    return socket_->send(result_text(id, ruling.result.is_null() ? "{}" : ruling.result.dump(), message.session));
  bool changed = ruling.params.has_value();
  if (ruling.params) params = std::move(*ruling.params);
  if (own_answer(id, message, session, params, changed)) return;
  const std::string text = changed ? params.dump() : std::string(message.params);
  const std::int64_t ours = ++last_;
  pending_[ours] = {id, session.id, std::string(message.method), is_remembered(message.method) ? std::move(params) : Json(), ruling.look};
  hub_.link.forward(*this, ours, message.method, text, session.id);
}

// What the rule cannot know: other targets, contexts, planted scripts. True when it has been answered.
bool Agent::own_answer(std::int64_t id, const CdpMessage& message, Session& session, Json& params, bool& changed) {
  const std::string_view method = message.method;
  const bool browser = session.kind == Place::Kind::browser;
  const Json* const named = params.find("targetId");
  if (named != nullptr && (method.substr(0, 7) == "Target." || method.substr(0, 8) == "Browser.") && method != "Target.detachFromTarget") {
    const Target* const target = hub_.targets.find(named->text_or(""));
    if (target == nullptr || !hub_.visible(*target)) return refuse(id, "No target with given id found", message.session), true;
  }
  if (hub_.is_own(params["browserContextId"].text_or(""))) return refuse(id, "no such browser context", message.session), true;
  if (browser && takes_context(method) && params.find("browserContextId") == nullptr) {
    params.set("browserContextId", hub_.context);
    changed = true;
  }
  if (method == "Target.disposeBrowserContext" && params["browserContextId"].text_or("") == hub_.context)
    return refuse(id, "the default context stays", message.session), true;
  if (browser && method == "Target.setAutoAttach") attaches_ = params["autoAttach"].bool_or(false);
  if (browser && method == "Target.setDiscoverTargets") discovers_ = params["discover"].bool_or(false);
  if (session.kind == Place::Kind::page) note_standing(session, method, params);
  const bool script = method == "Page.removeScriptToEvaluateOnNewDocument";
  if (!script && method != "Runtime.removeBinding") return false;
  const std::string name = params[script ? "identifier" : "name"].text_or("");
  for (auto at = session.standing.begin(); at != session.standing.end(); ++at) {
    if (at->identifier != name || (at->method == "Runtime.addBinding") == script) continue;
    const std::string current = at->current;
    const bool out = at->out;
    session.standing.erase(at);
    if (out) return socket_->send(result_text(id, "{}", message.session)), true;
    if (script) params.set("identifier", current);
    changed = changed || script;
    return false;
  }
  return false;
}

std::string Agent::name_of(std::string_view session) const {
  if (session == root_) return {};
  const Session* const known = hub_.sessions.find(session);
  return known == nullptr ? std::string(session) : known->name;
}

void Agent::lost(Session& session) {
  cut(session);
  if (session.id == root_) return socket_->close();
  send_event("Target.detachedFromTarget", Json::Object{{"sessionId", session.name}, {"targetId", session.target}}, session.parent);
}

void Agent::cut(Session& session) {
  const bool root = session.id == root_;
  const std::string mark = "\"sessionId\":\"" + session.name + "\"}";
  socket_->drop_queued([&mark, root](std::string_view text) {
    const auto message = CdpMessage::scan(text);
    return message && (root ? message->session.empty() : text.size() > mark.size() && text.substr(text.size() - mark.size()) == mark);
  });
  for (const std::int64_t ours : hub_.link.forget(*this, session.id)) {
    const auto found = pending_.find(ours);
    if (found == pending_.end()) continue;
    refuse(found->second.id, "the page is closed to agents while a card is filled in", name_of(session.id));
    pending_.erase(found);
  }
}

}  // namespace popvault::guard
