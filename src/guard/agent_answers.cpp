// What the browser says to one agent.
#include "guard/agent.hpp"

#include <utility>

#include "guard/hub.hpp"

namespace popvault::guard {
namespace {

const Json::Limits kLook{64 * 1024 * 1024, 200};

bool begins(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

}  // namespace

void Agent::answer(std::int64_t ours, const CdpMessage& message) {
  const auto found = pending_.find(ours);
  if (found == pending_.end() || gone_) return;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  const std::string name = name_of(pending.session);
  if (!message.error.empty()) {
    socket_->send(answer_text(pending.id, message, name));
  } else {
    remember(pending, message);
    const bool look = pending.look || pending.method == "Target.getTargets" || pending.method == "Target.getBrowserContexts";
    socket_->send(look ? result_text(pending.id, looked_at(pending, message), name) : answer_text(pending.id, message, name));
  }
  regulate();
}

void Agent::remember(const Pending& pending, const CdpMessage& message) {
  Session* const session = hub_.sessions.find(pending.session);
  const bool script = pending.method == "Page.addScriptToEvaluateOnNewDocument";
  if (session == nullptr || (!script && pending.method != "Runtime.addBinding" && pending.method != "Page.printToPDF" &&
                             pending.method != "Target.createBrowserContext"))
    return;
  const auto result = Json::parse(message.result, kLook);
  if (!result) return;
  if (pending.method == "Target.createBrowserContext") return hub_.set_downloads((*result)["browserContextId"].text_or(""));
  if (pending.method == "Page.printToPDF") {
    if (const Json* const stream = result->find("stream"); stream != nullptr) session->streams.insert(stream->text_or(""));
    return;
  }
  const std::string name = script ? (*result)["identifier"].text_or("") : pending.params["name"].text_or("");
  session->standing.push_back({pending.method, pending.params, name, name, false});
}

std::string Agent::looked_at(const Pending& pending, const CdpMessage& message) {
  auto result = Json::parse(message.result, kLook);
  if (!result) return "{}";
  if (pending.method == "Target.getTargets") {
    Json::Array out;
    if (const auto* const infos = (*result)["targetInfos"].array(); infos != nullptr)
      for (const Json& info : *infos) {
        const Target* const target = hub_.targets.find(info["targetId"].text_or(""));
        if (target != nullptr && hub_.visible(*target)) out.push_back(hub_.told(*target, info));
      }
    result->set("targetInfos", std::move(out));
    return result->dump();
  }
  if (pending.method == "Target.getBrowserContexts") {
    Json::Array out;
    if (const auto* const ids = (*result)["browserContextIds"].array(); ids != nullptr)
      for (const Json& id : *ids)
        if (id.text_or("") != hub_.context && !hub_.is_own(id.text_or(""))) out.push_back(id);
    result->set("browserContextIds", std::move(out));
    return result->dump();
  }
  if (pending.method == "Target.getTargetInfo") {
    const Json info = (*result)["targetInfo"];
    const Target* const target = hub_.targets.find(info["targetId"].text_or(""));
    if (target != nullptr) result->set("targetInfo", hub_.told(*target, info));
    return result->dump();
  }
  const Session* const session = hub_.sessions.find(pending.session);
  return session == nullptr ? "{}" : rule_result(pending.method, std::move(*result), hub_.place_of(*session)).dump();
}

void Agent::send_event(std::string_view method, const Json& params, std::string_view session) {
  socket_->send(event_text(method, params.dump(), name_of(session)));
}

void Agent::event(const CdpMessage& message, Session& session) {
  if (gone_) return;
  if (begins(message.method, "Target.")) return event_of_target(message, session);
  if (session.hidden || (!page_.empty() && session.id == browser_session_)) return;
  const Place place = hub_.place_of(session);
  switch (event_rule(message.method, place)) {
    case EventRule::drop:
      return;
    case EventRule::pass:
      if (headers_kept(message, session, place)) return;
      if (message.method == "Page.frameDetached") return frame_detached(message, session, place);
      return socket_->send(event_text(message.method, message.params, name_of(session.id)));
    case EventRule::look:
      break;
  }
  auto params = Json::parse(message.params.empty() ? "{}" : message.params, kLook);
  if (!params) return;
  if (message.method == "Page.frameNavigated" && (*params)["frame"]["id"].text_or("") == session.target) {
    const std::string loader = (*params)["frame"]["loaderId"].text_or("");
    if (std::exchange(session.loader, loader) == loader) return;
  }
  if (const auto allowed = rule_event(message.method, std::move(*params), place)) send_event(message.method, *allowed, session.id);
}

// While Network's ...ExtraInfo is kept from an agent, clients must not wait for it.
bool Agent::headers_kept(const CdpMessage& message, const Session& session, const Place& place) {
  const bool answer = message.method == "Network.responseReceived";
  if ((!place.live && !place.redacted) || (!answer && message.method != "Network.requestWillBeSent")) return false;
  auto params = Json::parse(message.params, kLook);
  if (!params) return true;
  params->set(answer ? "hasExtraInfo" : "redirectHasExtraInfo", false);
  send_event(message.method, *params, session.id);
  return true;
}

// A frame that went to a processor is gone for agents: clients would wait for the session of one that was swapped.
void Agent::frame_detached(const CdpMessage& message, const Session& session, const Place& place) {
  auto params = Json::parse(message.params, kLook);
  if (!params) return;
  if (place.hidden_frames != nullptr && place.hidden_frames->count((*params)["frameId"].text_or("")) != 0) params->set("reason", "remove");
  send_event(message.method, *params, session.id);
}

// Target.* tells of another target: whether this agent may know it is asked of that one.
void Agent::event_of_target(const CdpMessage& message, Session& session) {
  auto params = Json::parse(message.params, kLook);
  if (!params) return;
  if (message.method == "Target.attachedToTarget") return attached(*params, session);
  const bool silent = session.hidden || (!page_.empty() && session.id == browser_session_);
  if (message.method == "Target.detachedFromTarget") {
    const std::string id = (*params)["sessionId"].text_or("");
    const Session* const child = hub_.sessions.find(id);
    const bool ended = ended_.erase(id) != 0;
    const bool told = child != nullptr && !child->hidden && !ended;
    if (told) params->set("sessionId", child->name);
    hub_.sessions.remove(id);
    if (id == root_ && !ended) return socket_->close();
    if (!told || silent) return;
    return send_event(message.method, *params, session.id);
  }
  if (silent) return;
  const bool info = params->find("targetInfo") != nullptr;
  const std::string id = info ? (*params)["targetInfo"]["targetId"].text_or("") : (*params)["targetId"].text_or("");
  const Target* const target = hub_.targets.find(id);
  if (message.method == "Target.targetDestroyed") return send_event(message.method, *params, session.id);
  if (target == nullptr || !hub_.visible(*target)) return;
  Place place = hub_.place_of_target(*target);
  if (event_rule(message.method, place) == EventRule::drop) return;
  if (info) params->set("targetInfo", hub_.told(*target, (*params)["targetInfo"]));
  send_event(message.method, *params, session.id);
}

void Agent::attached(const Json& params, Session& parent) {
  const Json& info = params["targetInfo"];
  const std::string id = params["sessionId"].text_or(""), target_id = info["targetId"].text_or("");
  const std::string type = info["type"].text_or("");
  if (hub_.targets.find(target_id) == nullptr) hub_.targets.changed(info);  // dedicated workers are not discovered
  if (type != "browser" && hub_.targets.find(target_id)->parent.empty() && kind_of(type) == Place::Kind::worker)
    hub_.targets.set_parent(target_id, parent.target);
  Session& session = hub_.sessions.add(id, *this, parent.id, target_id, kind_of(type));
  // One that renew() asked for: its answer is what counts.
  for (const auto& [name, renewal] : renewals_)
    if (renewal.session.target == target_id && parent.id == browser_session_) {
      session.hidden = true;
      return;
    }
  const auto decide = [this, id, params, parent_id = parent.id] {
    Session* const child = hub_.sessions.find(id);
    const Target* const target = child == nullptr ? nullptr : hub_.targets.find(child->target);
    if (child == nullptr || gone_) return;
    child->hidden = false;
    const bool silent = !page_.empty() && parent_id == browser_session_;
    const bool browser = child->kind == Place::Kind::browser;
    if (!browser && (target == nullptr || !hub_.visible(*target))) return hub_.hide(*child, false);
    if (!browser) hub_.pages.touched(child->target);
    if (silent) return;
    Json out = params;
    if (!browser) out.set("targetInfo", hub_.told(*target, params["targetInfo"]));
    send_event("Target.attachedToTarget", out, parent_id);
  };
  if (parent.hidden) return hub_.hide(session, false);
  const Target* const target = hub_.targets.find(target_id);
  if (hub_.opening() && target != nullptr && (type == "page" || type == "tab")) {
    session.hidden = true;
    hub_.when_opened([weak = weak_from_this(), decide] {
      if (const auto self = weak.lock()) decide();
    });
    return;
  }
  decide();
}

void Agent::found(const Target& target) {
  if (gone_ || !page_.empty()) return;
  if (discovers_) send_event("Target.targetCreated", Json::Object{{"targetInfo", hub_.told(target)}}, browser_session_);
  if (attaches_)
    hub_.link.call("Target.attachToTarget", Json::Object{{"targetId", target.id}, {"flatten", true}}, browser_session_);
}

}  // namespace popvault::guard
