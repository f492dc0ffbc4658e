// A session that is made anew when a processor's document comes to its page.
//
// Chromium keeps commands back while a navigation is under way and gives them to the new document, and planted scripts run
// there first: so the session itself goes, at once, and with it all that was sent or set up by it.
#include "guard/agent.hpp"
#include "guard/hub.hpp"

namespace popvault::guard {
namespace {

constexpr int kGone = -32000;

bool ends(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}

bool is_standing(std::string_view method) {
  for (const std::string_view name : {"Target.setAutoAttach", "Page.setLifecycleEventsEnabled", "Page.setInterceptFileChooserDialog",
                                      "Page.setBypassCSP", "Page.setFontFamilies", "Runtime.setAsyncCallStackDepth"})
    if (method == name) return true;
  return ends(method, ".enable") || method.substr(0, 13) == "Emulation.set" || method.substr(0, 11) == "Network.set";
}

}  // namespace

void Agent::note_standing(Session& session, std::string_view method, const Json& params) {
  const bool off = ends(method, ".disable");
  if (!off && !is_standing(method)) return;
  const std::string name = off ? std::string(method.substr(0, method.size() - 7)) + "enable" : std::string(method);
  for (auto at = session.standing.begin(); at != session.standing.end(); ++at)
    if (at->method == name) {
      session.standing.erase(at);
      break;
    }
  if (!off) session.standing.push_back({name, params, {}, {}, false});
}

// What a client must hear of a command whose session ended below it.
void Agent::answer_cut(const Pending& pending, const std::string& target, const std::string& name) {
  const std::string_view method = pending.method;
  if (method == "Page.navigate") return navigations_.push_back({pending.id, target, name});
  if (method.substr(0, 6) == "Input." || method == "Page.reload" || method == "Page.navigateToHistoryEntry" || ends(method, ".enable") ||
      is_standing(method))
    return socket_->send(result_text(pending.id, "{}", name));
  socket_->send(error_text(pending.id, kGone, "Inspected target navigated or closed", name));
}

void Agent::committed(const std::string& page, const std::string& loader) {
  std::vector<Navigation> left;
  for (Navigation& one : navigations_) {
    if (one.page != page) {
      left.push_back(std::move(one));
      continue;
    }
    Json result = Json::Object{{"frameId", page}};
    if (loader.empty()) result.set("errorText", "net::ERR_ABORTED");
    else result.set("loaderId", loader);
    socket_->send(result_text(one.id, result.dump(), one.session));
  }
  navigations_ = std::move(left);
}

void Agent::navigated(const std::string& page, const Json& frame) {
  if (gone_) return;
  for (auto& [id, session] : hub_.sessions.all())
    if (session.owner == this && session.target == page && session.kind == Place::Kind::page && !session.hidden)
      tell_navigated(session, frame);
  for (auto& [name, renewal] : renewals_)
    if (renewal.session.target == page) tell_navigated(renewal.session, frame);
}

void Agent::tell_navigated(Session& session, const Json& frame) {
  bool enabled = false;
  for (const Standing& standing : session.standing) enabled = enabled || standing.method == "Page.enable";
  const std::string loader = frame["loaderId"].text_or("");
  if (!enabled || session.loader == loader) return;
  session.loader = loader;
  Place place;
  place.kind = Place::Kind::page;
  place.processor = true;
  const auto params = rule_event("Page.frameNavigated", Json::Object{{"frame", frame}, {"type", "Navigation"}}, place);
  const std::string name = session.id == root_ || session.name == root_ ? std::string() : session.name;
  if (params) socket_->send(event_text("Page.frameNavigated", params->dump(), name));
  // Clients would wait for the worlds they planted before they look at anything: what they ask of these is refused at once.
  std::set<std::string> worlds;
  bool runs = false;
  for (const Standing& standing : session.standing) {
    runs = runs || standing.method == "Runtime.enable";
    if (standing.method == "Page.addScriptToEvaluateOnNewDocument") worlds.insert(standing.params["worldName"].text_or(""));
  }
  worlds.erase("");
  std::int64_t id = kFirstNoWorld;
  for (const std::string& world : worlds) {
    if (!runs) break;
    const Json data = Json::Object{{"isDefault", false}, {"type", "isolated"}, {"frameId", frame["id"]}};
    const Json context = Json::Object{{"id", id}, {"origin", ""}, {"name", world}, {"uniqueId", "popvault." + std::to_string(id)}, {"auxData", data}};
    socket_->send(event_text("Runtime.executionContextCreated", Json(Json::Object{{"context", context}}).dump(), name));
    ++id;
  }
}

bool Agent::in_no_world(std::int64_t id, const CdpMessage& message, const Json& params) {
  const bool evaluate = message.method == "Runtime.evaluate";
  if (!evaluate && message.method != "Runtime.callFunctionOn") return false;
  if (params[evaluate ? "contextId" : "executionContextId"].int_or(0) < kFirstNoWorld) return false;
  // As an exception: on another error Playwright tries again for as long as it may.
  socket_->send(result_text(id, R"({"result":{"type":"undefined"},"exceptionDetails":{"exceptionId":1,"text":"Uncaught","lineNumber":0,)"
                                R"("columnNumber":0,"exception":{"type":"object","subtype":"error","className":"Error",)"
                                R"("description":"Error: popvault: the page is a payment processor's"}}})", message.session));
  return true;
}

void Agent::renew(Session& session) {
  const std::string id = session.id, name = session.name, target = session.target;
  const bool root = id == root_;
  const std::string shown = name_of(id);
  for (const std::int64_t ours : hub_.link.forget(*this, id)) {
    const auto found = pending_.find(ours);
    if (found == pending_.end()) continue;
    // Planted, perhaps, before the end: as if it had been, under a name of ours.
    if (found->second.method == "Page.addScriptToEvaluateOnNewDocument") {
      const std::string identifier = "g" + std::to_string(ours);
      session.standing.push_back({found->second.method, found->second.params, identifier, {}, true});
      socket_->send(result_text(found->second.id, Json(Json::Object{{"identifier", identifier}}).dump(), shown));
    } else {
      answer_cut(found->second, target, shown);
    }
    pending_.erase(found);
  }
  std::vector<std::string> below;
  bool runs = false;
  for (auto& [child_id, child] : hub_.sessions.all())
    if (child.parent == id && child.owner == this) below.push_back(child_id);
  for (const std::string& child_id : below) {
    Session* const child = hub_.sessions.find(child_id);
    if (child == nullptr) continue;
    if (!child->hidden) lost(*child);
    hub_.link.forget(*this, child_id);
    hub_.sessions.remove(child_id);
  }
  for (Standing& standing : session.standing) {
    standing.out = true;
    runs = runs || standing.method == "Runtime.enable";
  }
  if (runs) socket_->send(event_text("Runtime.executionContextsCleared", "{}", shown));
  hub_.link.call("Target.detachFromTarget", Json::Object{{"sessionId", id}}, session.parent);
  const std::string key = root ? root_ : name;
  renewals_[key] = {session, {}};
  ended_.insert(id);
  hub_.sessions.remove(id);
  hub_.link.call("Target.attachToTarget", Json::Object{{"targetId", target}, {"flatten", true}}, browser_session_,
                 [weak = weak_from_this(), &hub = hub_, key, root](const Json& result, bool ok) {
                   const auto self = weak.lock();
                   if (!self || self->gone_) return;
                   const auto found = self->renewals_.find(key);
                   if (found == self->renewals_.end()) return;
                   const Renewal renewal = std::move(found->second);
                   self->renewals_.erase(found);
                   if (!ok) {
                     if (root) return self->socket_->close();
                     return self->send_event("Target.detachedFromTarget", Json::Object{{"sessionId", renewal.session.name}, {"targetId", renewal.session.target}}, renewal.session.parent);
                   }
                   const std::string fresh = result["sessionId"].text_or("");
                   Session& anew = hub.sessions.add(fresh, *self, self->browser_session_, renewal.session.target, renewal.session.kind);
                   anew.name = renewal.session.name;
                   anew.standing = renewal.session.standing;
                   anew.loader = renewal.session.loader;
                   anew.hidden = false;
                   if (root) self->root_ = fresh;
                   self->stand_again(anew);
                   for (const std::string& message : renewal.messages) self->message(message);
                 });
}

void Agent::stand(Session& session, Standing& standing, bool now) {
  Json params = standing.params;
  const bool script = standing.method == "Page.addScriptToEvaluateOnNewDocument";
  // The document that is there missed it.
  if (script && now) params.set("runImmediately", true);
  standing.out = false;
  hub_.link.call(standing.method, params, session.id,
                 [weak = weak_from_this(), &hub = hub_, id = session.id, script, name = standing.identifier](const Json& result, bool ok) {
                   Session* const again = hub.sessions.find(id);
                   if (weak.expired() || again == nullptr || !script || !ok) return;
                   for (Standing& one : again->standing)
                     if (one.identifier == name && !name.empty()) one.current = result["identifier"].text_or("");
                 });
}

void Agent::stand_again(Session& session) {
  const Place place = hub_.place_of(session);
  for (Standing& standing : session.standing) {
    if (!standing.out) continue;
    const Ruling ruling = rule_command(standing.method, standing.params, place);
    if (ruling.verdict != Ruling::Verdict::pass) continue;
    stand(session, standing, !place.processor);
  }
}

}  // namespace popvault::guard
