#include "injector/page.hpp"

#include <algorithm>

#include "injector/finder_card.hpp"
#include "injector/finder_identity.hpp"
#include "injector/finder_login.hpp"

namespace popvault::injector {
namespace {

Json object(std::initializer_list<Json::Object::value_type> members) { return Json::Object(members); }

std::string_view finder_of(Kind kind) {
  return kind == Kind::identity ? kIdentityFinder : kind == Kind::login ? kLoginFinder : kCardFinder;
}

}  // namespace

Page::Page(Cdp& cdp, const Job& job) : cdp_(cdp), job_(job) {
  cdp_.listen([this](const Cdp::Event& event) { on_event(event); });
}

Step<void> Page::attach(std::string target) {
  const Cdp::Id info = cdp_.send("SystemInfo.getInfo");
  if (target.empty()) {
    PV_ASSIGN(const Cdp::Reply list, cdp_.wait(cdp_.send("Target.getTargets")));
    PV_ASSIGN(target, pick_target(list.result, job_));
  }
  const Cdp::Id attaching =
      cdp_.send("Target.attachToTarget", object({{"targetId", target}, {"flatten", true}}));
  PV_ASSIGN(const Cdp::Reply attached, cdp_.wait(attaching));
  if (!attached.ok) return stop(Outcome::page_not_found);
  // The main frame's id is the page's target id.
  start(attached.result["sessionId"].text_or(""), target, "");
  PV_ASSIGN(const Cdp::Reply system, cdp_.wait(info));
  const std::string command_line = system.result["commandLine"].text_or("");
  if (command_line.empty() || !browser_allowed(command_line, job_.allow_loopback_http))
    return stop(Outcome::browser_refused);
  return {};
}

void Page::start(const std::string& session, const std::string& root, const std::string& parent_session) {
  sessions_.push_back({session, root, parent_session, false});
  cdp_.send("Page.enable", {}, session);
  cdp_.send("Emulation.setFocusEmulationEnabled", object({{"enabled", true}}), session);
  const Json::Array only_frames{object({{"type", "iframe"}}), object({{"exclude", true}})};
  // Answered after the frames that are there already have been announced.
  ask(cdp_.send("Target.setAutoAttach",
                object({{"autoAttach", true},
                        {"waitForDebuggerOnStart", false},
                        {"flatten", true},
                        {"filter", only_frames}}),
                session),
      [](const Cdp::Reply&) {});
  // It may have been a frame of its parent's process until now.
  if (frames_.contains(root)) gone(root);
  Frame& frame = begin(root, session);
  ask_tree(session);
  ask_world(frame);
  // To save a round trip: the frame around it is most likely of the session that told of it.
  if (!parent_session.empty()) ask_owner_node(frame, parent_session);
}

void Page::ask(const Frame& frame, Cdp::Id id, FrameThen then) {
  ask(id, [this, frame_id = frame.id, made = frame.made, then = std::move(then)](const Cdp::Reply& reply) {
    Frame* const now = find(frame_id);
    if (now != nullptr && now->made == made) then(*now, reply);
  });
}

Frame& Page::begin(const std::string& frame_id, const std::string& session) {
  Frame fresh;
  fresh.id = frame_id;
  fresh.session = session;
  fresh.made = ++made_;
  return frames_[frame_id] = std::move(fresh);
}

void Page::renew(Frame& frame) {
  Frame fresh;
  fresh.id = frame.id;
  fresh.parent = frame.parent;
  fresh.session = frame.session;
  fresh.made = ++made_;
  // What is still being asked for would be lost with the old record.
  if (!frame.owner.object.empty()) fresh.owner = frame.owner;
  frame = std::move(fresh);
}

std::string Page::own_session(const std::string& frame_id) const {
  const auto found =
      std::find_if(sessions_.rbegin(), sessions_.rend(), [&](const Session& one) { return one.root == frame_id; });
  return found == sessions_.rend() ? "" : found->id;
}

void Page::ask_tree(const std::string& session) {
  ask(cdp_.send("Page.getFrameTree", {}, session), [this, session](const Cdp::Reply& reply) {
    if (std::none_of(sessions_.begin(), sessions_.end(), [&](const Session& one) { return one.id == session; }))
      return;
    std::set<std::string> seen;
    take_tree(session, reply.result["frameTree"], seen);
    if (seen.empty()) return;
    std::erase_if(frames_, [&](const auto& item) {
      return item.second.session == session && !seen.contains(item.first);
    });
  });
}

void Page::take_tree(const std::string& session, const Json& tree, std::set<std::string>& seen) {
  const Json& told = tree["frame"];
  const std::string id = told["id"].text_or("");
  if (id.empty()) return;
  // The parent of a frame that just got a process of its own may still tell of the empty document it began with.
  const std::string own = own_session(id);
  if (!own.empty() && own != session) return;
  seen.insert(id);
  Frame* known = find(id);
  if (known == nullptr || known->session != session) {
    gone(id);
    known = &begin(id, session);
  }
  Frame& frame = *known;
  const std::string loader = told["loaderId"].text_or("");
  if (!frame.loader.empty() && frame.loader != loader) {
    gone(id);
    renew(frame);
  }
  frame.loader = loader;
  frame.parent = told["parentId"].text_or("");
  const std::string url = told["url"].text_or("");
  frame.url = url;
  frame.name = told["name"].text_or("");
  frame.blank = !frame.parent.empty() && (url.empty() || url == "about:blank");
  frame.origin = origin_index(job_, url, told["securityOrigin"].text_or(""));
  if (wanted(frame)) ask_world(frame);
  ask_owner(frame);
  load_finder(frame);
  if (const Json::Array* children = tree["childFrames"].array())
    for (const Json& child : *children) take_tree(session, child, seen);
}

void Page::ask_world(Frame& frame) {
  if (frame.asked) return;
  frame.asked = true;
  ask(frame,
      cdp_.send("Page.createIsolatedWorld", object({{"frameId", frame.id}, {"worldName", "popvault"}}),
                frame.session),
      [this](Frame& made, const Cdp::Reply& reply) {
        made.context = reply.result["executionContextId"].int_or(0);
        made.asked = reply.ok;
        load_finder(made);
        for (auto& [child_id, child] : frames_)
          if (child.parent == made.id) ask_owner(child);
      });
}

// Once both the frame's origin and its world are known.
void Page::load_finder(Frame& frame) {
  if (frame.context == 0 || frame.loader.empty() || !frame.world.empty() || !wanted(frame)) return;
  const auto evaluate = [&](std::string_view expression, bool by_value) {
    return cdp_.send(
        "Runtime.evaluate",
        object({{"contextId", frame.context}, {"expression", expression}, {"returnByValue", by_value}}),
        frame.session);
  };
  frame.world = "asked";
  ask(frame, evaluate(finder_of(job_.kind), false), [this](Frame& loaded, const Cdp::Reply& reply) {
    loaded.world = reply.result["result"]["objectId"].text_or("");
    // The document went away under us: a new world is made when its successor is known.
    if (!reply.ok) renew(loaded);
  });
  // In the same breath, to save a round trip. The name exists in the isolated world alone.
  ask(frame, evaluate("popvault.scan(" + std::to_string(static_cast<int>(job_.kind)) + ")", true), [](Frame& scanned, const Cdp::Reply& reply) {
    scanned.scan = reply.result["result"]["value"];
  });
}

// What was asked in vain is asked again by the next survey.
void Page::ask_owner(Frame& frame) {
  const Frame* const parent = this->frame(frame.parent);
  if (parent == nullptr) return;
  if (frame.owner.session != parent->session) return ask_owner_node(frame, parent->session);
  if (frame.owner.node == 0 || parent->context == 0 || frame.owner.made == parent->made) return;
  frame.owner.made = parent->made;
  frame.owner.object.clear();
  ask(frame,
      cdp_.send("DOM.resolveNode",
                object({{"backendNodeId", frame.owner.node}, {"executionContextId", parent->context}}),
                parent->session),
      [made = parent->made](Frame& inner, const Cdp::Reply& reply) {
        if (inner.owner.made != made) return;
        inner.owner.object = reply.result["object"]["objectId"].text_or("");
        if (inner.owner.object.empty()) inner.owner = {};
      });
}

void Page::ask_owner_node(Frame& frame, const std::string& session) {
  frame.owner = {};
  frame.owner.session = session;
  ask(frame, cdp_.send("DOM.getFrameOwner", object({{"frameId", frame.id}}), session),
      [this, session](Frame& inner, const Cdp::Reply& reply) {
        if (inner.owner.session != session) return;
        inner.owner.node = reply.result["backendNodeId"].int_or(0);
        if (inner.owner.node == 0) {
          inner.owner = {};
        } else {
          ask_owner(inner);
        }
      });
}

void Page::ask_scan(const Frame& frame) {
  Json kind;
  kind.set("value", static_cast<int>(job_.kind));
  ask(frame, call(frame, "scan", {kind}), [this](Frame& scanned, const Cdp::Reply& reply) {
    scanned.scan = reply.result["result"]["value"];
    if (!reply.ok) renew(scanned);
  });
}

Step<void> Page::survey(bool unlisted_too) {
  unlisted_too_ = unlisted_too;
  // A session that has just been started asks for everything by itself.
  for (Session& session : sessions_) {
    if (session.started) ask_tree(session.id);
    session.started = true;
  }
  for (const auto& [id, frame] : frames_)
    if (!frame.world.empty()) ask_scan(frame);
  PV_TRY(drain());
  // Frames whose parent became known after them.
  for (auto& [id, frame] : frames_) ask_owner(frame);
  return drain();
}

Step<void> Page::drain() {
  while (!pending_.empty()) {
    const auto [id, then] = std::move(pending_.front());
    pending_.pop_front();
    PV_ASSIGN(const Cdp::Reply reply, cdp_.wait(id));
    then(reply);
  }
  std::erase_if(frames_, [](const auto& item) { return item.second.id.empty(); });
  return {};
}

std::vector<std::string> Page::sessions() const {
  std::vector<std::string> out;
  for (const Session& session : sessions_) out.push_back(session.id);
  return out;
}

const Frame* Page::frame(const std::string& id) const {
  const auto found = frames_.find(id);
  return found == frames_.end() || found->second.id.empty() ? nullptr : &found->second;
}

Frame* Page::find(const std::string& frame_id) {
  const auto found = frames_.find(frame_id);
  return found == frames_.end() || found->second.id.empty() ? nullptr : &found->second;
}

const Frame* Page::top() const { return sessions_.empty() ? nullptr : frame(sessions_.front().root); }

Place Page::place(const Frame& frame) const {
  const Frame* at = &frame;
  for (int depth = 0; depth < 32; ++depth) {
    if (at->loader.empty()) return Place::unknown;
    if (at->origin == kNoOrigin) return Place::unlisted;
    if (at->parent.empty()) return at == top() ? Place::listed : Place::unlisted;
    at = this->frame(at->parent);
    if (at == nullptr) return Place::unknown;
  }
  return Place::unlisted;
}

std::string Page::owner(const Frame& frame) const {
  const Frame* const parent = this->frame(frame.parent);
  const bool now = parent != nullptr && frame.owner.session == parent->session && frame.owner.made == parent->made;
  return now ? frame.owner.object : "";
}

std::string Page::call_head(const Frame& frame, std::string_view function) {
  return std::string("\"objectId\":")
      .append(json_quote(frame.world))
      .append(",\"functionDeclaration\":")
      .append(json_quote(std::string("function(...a){return this.").append(function).append("(...a)}")));
}

Cdp::Id Page::call(const Frame& frame, std::string_view function, Json::Array args, bool await) {
  return cdp_.send("Runtime.callFunctionOn",
                   object({{"objectId", frame.world},
                           {"functionDeclaration",
                            std::string("function(...a){return this.").append(function).append("(...a)}")},
                           {"arguments", std::move(args)},
                           {"returnByValue", true},
                           {"userGesture", true},
                           {"awaitPromise", await}}),
                   frame.session);
}

Step<std::optional<Json>> Page::value(Cdp::Id id) {
  PV_ASSIGN(const Cdp::Reply reply, cdp_.wait(id));
  if (!reply.ok || reply.result.find("exceptionDetails") != nullptr) return std::nullopt;
  return std::optional(reply.result["result"]["value"]);
}

}  // namespace popvault::injector
