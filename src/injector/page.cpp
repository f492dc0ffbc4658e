#include "injector/page.hpp"

#include "injector/finder_source.hpp"

namespace popvault::injector {
namespace {

Json object(std::initializer_list<Json::Object::value_type> members) { return Json::Object(members); }

// The frame with a new document: its place in the page is the same.
Frame renewed(const Frame& old) {
  Frame out;
  out.id = old.id;
  out.parent = old.parent;
  out.session = old.session;
  out.owner_node = old.owner_node;
  out.owner = old.owner;
  out.owner_asked = old.owner_asked;
  return out;
}

}  // namespace

Page::Page(Cdp& cdp, const Job& job) : cdp_(cdp), job_(job) {
  cdp_.listen([this](const Cdp::Event& event) { on_event(event); });
}

Step<void> Page::attach() {
  const Cdp::Id info = cdp_.send("SystemInfo.getInfo");
  const Cdp::Id targets = cdp_.send("Target.getTargets");
  PV_ASSIGN(const Cdp::Reply list, cdp_.wait(targets));
  PV_ASSIGN(const std::string target, pick_target(list.result, job_));
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
  sessions_.push_back({session, root, false});
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
  Frame& frame = frames_[root] = Frame{};
  frame.id = root;
  frame.session = session;
  ask_tree(session);
  ask_world(frame);
  if (parent_session.empty()) return;
  ask(cdp_.send("DOM.getFrameOwner", object({{"frameId", root}}), parent_session),
      [this, root](const Cdp::Reply& reply) {
        frames_[root].owner_node = reply.result["backendNodeId"].int_or(0);
        ask_owner(root);
      });
}

void Page::ask_tree(const std::string& session) {
  ask(cdp_.send("Page.getFrameTree", {}, session), [this, session](const Cdp::Reply& reply) {
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
  seen.insert(id);
  Frame& frame = frames_[id];
  const std::string loader = told["loaderId"].text_or("");
  if (!frame.loader.empty() && frame.loader != loader) {
    gone(id);
    frame = renewed(frame);
  }
  frame.id = id;
  frame.session = session;
  frame.loader = loader;
  frame.parent = told["parentId"].text_or("");
  const std::string url = told["url"].text_or("");
  frame.blank = !frame.parent.empty() && (url.empty() || url == "about:blank");
  frame.origin = origin_index(job_, url, told["securityOrigin"].text_or(""));
  if (wanted(frame)) ask_world(frame);
  if (!frame.parent.empty() && frame.owner_node == 0) {
    const Frame* const parent = this->frame(frame.parent);
    if (parent != nullptr && parent->session == session)
      ask(cdp_.send("DOM.getFrameOwner", object({{"frameId", id}}), session),
          [this, id](const Cdp::Reply& reply) {
            frames_[id].owner_node = reply.result["backendNodeId"].int_or(0);
            ask_owner(id);
          });
  }
  load_finder(id);
  if (const Json::Array* children = tree["childFrames"].array())
    for (const Json& child : *children) take_tree(session, child, seen);
}

void Page::ask_world(Frame& frame) {
  if (frame.asked) return;
  frame.asked = true;
  const std::string id = frame.id;
  ask(cdp_.send("Page.createIsolatedWorld", object({{"frameId", id}, {"worldName", "popvault"}}),
                frame.session),
      [this, id](const Cdp::Reply& reply) {
        Frame& made = frames_[id];
        made.context = reply.result["executionContextId"].int_or(0);
        made.asked = reply.ok;
        load_finder(id);
        for (auto& [child_id, child] : frames_)
          if (child.parent == id) ask_owner(child_id);
      });
}

// Once both the frame's origin and its world are known.
void Page::load_finder(const std::string& frame_id) {
  Frame& frame = frames_[frame_id];
  if (frame.context == 0 || frame.loader.empty() || !frame.world.empty() || !wanted(frame)) return;
  const auto evaluate = [&](std::string_view expression, bool by_value) {
    return cdp_.send(
        "Runtime.evaluate",
        object({{"contextId", frame.context}, {"expression", expression}, {"returnByValue", by_value}}),
        frame.session);
  };
  frame.world = "asked";
  ask(evaluate(kFinderSource, false), [this, frame_id](const Cdp::Reply& reply) {
    frames_[frame_id].world = reply.result["result"]["objectId"].text_or("");
  });
  // In the same breath, to save a round trip. The name exists in the isolated world alone.
  ask(evaluate("popvault.scan()", true), [this, frame_id](const Cdp::Reply& reply) {
    frames_[frame_id].scan = reply.result["result"]["value"];
  });
}

void Page::ask_owner(const std::string& frame_id) {
  Frame& frame = frames_[frame_id];
  const Frame* const parent = this->frame(frame.parent);
  if (frame.owner_node == 0 || frame.owner_asked || parent == nullptr || parent->context == 0) return;
  frame.owner_asked = true;
  ask(cdp_.send("DOM.resolveNode",
                object({{"backendNodeId", frame.owner_node}, {"executionContextId", parent->context}}),
                parent->session),
      [this, frame_id](const Cdp::Reply& reply) {
        frames_[frame_id].owner = reply.result["object"]["objectId"].text_or("");
      });
}

void Page::ask_scan(const Frame& frame) {
  const std::string id = frame.id;
  ask(call(frame, "scan"), [this, id](const Cdp::Reply& reply) {
    Frame& scanned = frames_[id];
    scanned.scan = reply.result["result"]["value"];
    // The document went away under us: a new world is made when its successor is known.
    if (!reply.ok) scanned = renewed(scanned);
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
  for (const auto& [id, frame] : std::map(frames_)) ask_owner(id);
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

const Frame* Page::frame(const std::string& id) const {
  const auto found = frames_.find(id);
  return found == frames_.end() ? nullptr : &found->second;
}

const Frame* Page::top() const { return sessions_.empty() ? nullptr : frame(sessions_.front().root); }

bool Page::listed(const Frame& frame) const {
  const Frame* at = &frame;
  for (int depth = 0; depth < 32; ++depth) {
    if (at->origin == kNoOrigin) return false;
    if (at->parent.empty()) return at == top();
    at = this->frame(at->parent);
    if (at == nullptr) return false;
  }
  return false;
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
