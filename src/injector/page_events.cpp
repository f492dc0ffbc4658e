// What changes in a page while we work on it, and the closed shadow roots in it. See page.hpp.
#include "base/origin.hpp"
#include "injector/page.hpp"

namespace popvault::injector {
namespace {

Json object(std::initializer_list<Json::Object::value_type> members) { return Json::Object(members); }

}  // namespace

void Page::going(const std::string& frame_id) { changed_ = changed_ || pinned_.contains(frame_id); }

void Page::gone(const std::string& frame_id) {
  going(frame_id);
  left_ = left_ || pinned_.contains(frame_id);
}

void Page::end(const std::string& session) {
  for (auto& [id, frame] : frames_) {
    if (frame.session != session) continue;
    gone(id);
    frame = Frame{};
  }
  cdp_.ended(session);
  std::vector<std::string> inner;
  for (const Session& one : sessions_)
    if (!session.empty() && one.parent == session) inner.push_back(one.id);
  // The page's own stays, without frames.
  if (!sessions_.empty() && sessions_.front().id == session) {
    left_ = left_ || !pinned_.empty();
    changed_ = changed_ || left_;
  } else {
    std::erase_if(sessions_, [&](const Session& one) { return one.id == session; });
  }
  for (const std::string& id : inner) end(id);
}

void Page::on_event(const Cdp::Event& event) {
  const Json& params = event.params;
  if (event.method == "Target.attachedToTarget") {
    const Json& target = params["targetInfo"];
    if (target["type"].text_or("") == "iframe" && !sessions_.empty())
      start(params["sessionId"].text_or(""), target["targetId"].text_or(""), event.session);
  } else if (event.method == "Target.detachedFromTarget") {
    end(params["sessionId"].text_or(""));
  } else if (event.method == "Page.frameNavigated") {
    gone(params["frame"]["id"].text_or(""));
    coming_.erase(params["frame"]["id"].text_or(""));
  } else if (event.method == "Page.frameDetached") {
    // A frame that got a process of its own leaves its parent's: that may be told after it was seen in its own.
    const Frame* const left = frame(params["frameId"].text_or(""));
    const bool late = params["reason"].text_or("") == "swap" && left != nullptr && left->session != event.session;
    if (!late) gone(params["frameId"].text_or(""));
    coming_.erase(params["frameId"].text_or(""));
  } else if (event.method == "Page.frameStoppedLoading") {
    coming_.erase(params["frameId"].text_or(""));
  } else if (event.method == "Page.javascriptDialogOpening") {
    // A page that complains in a dialog stands still until somebody answers; nobody else will.
    cdp_.send("Page.handleJavaScriptDialog", object({{"accept", false}}), event.session);
  } else if (event.method == "Page.frameStartedNavigating") {
    if (params["navigationType"].text_or("") == "sameDocument") return;
    going(params["frameId"].text_or(""));
    const auto to = Origin::of_url(params["url"].text_or(""));
    if (to && origin_index(job_, to->text(), to->text()) != kNoOrigin) coming_.insert(params["frameId"].text_or(""));
  }
}

void Page::pin(const std::set<std::string>& frames) {
  for (const std::string& id : frames)
    for (const Frame* at = frame(id); at != nullptr; at = frame(at->parent)) pinned_.insert(at->id);
}

Step<void> Page::confirm_documents() {
  std::map<std::string, std::string> loaders;
  for (const std::string& id : pinned_)
    if (const Frame* at = frame(id)) loaders[id] = at->loader;
  for (const Session& session : sessions_) ask_tree(session.id);
  PV_TRY(drain());
  for (const auto& [id, loader] : loaders) {
    const Frame* const at = frame(id);
    if (at == nullptr || at->loader != loader) changed_ = left_ = true;
  }
  return {};
}

Step<void> Page::open_closed_roots() {
  for (const Session& session : sessions_) {
    ask(cdp_.send("DOM.getDocument", object({{"depth", -1}, {"pierce", true}}), session.id),
        [this, session](const Cdp::Reply& reply) { find_roots(session.id, reply.result["root"], session.root); });
  }
  return drain();
}

void Page::find_roots(const std::string& session, const Json& node, const std::string& frame_id) {
  if (const Json::Array* roots = node["shadowRoots"].array()) {
    for (const Json& root : *roots) {
      if (root["shadowRootType"].text_or("") == "closed")
        give_root(session, frame_id, root["backendNodeId"].int_or(0));
      find_roots(session, root, frame_id);
    }
  }
  if (const Json* document = node.find("contentDocument"))
    find_roots(session, *document, node["frameId"].text_or(""));
  if (const Json::Array* children = node["children"].array())
    for (const Json& child : *children) find_roots(session, child, frame_id);
}

void Page::give_root(const std::string& session, const std::string& frame_id, std::int64_t node) {
  const Frame* const inside = frame(frame_id);
  if (inside == nullptr || inside->session != session || inside->world.empty() || node == 0) return;
  ask(*inside,
      cdp_.send("DOM.resolveNode", object({{"backendNodeId", node}, {"executionContextId", inside->context}}), session),
      [this](Frame& now, const Cdp::Reply& reply) {
        if (!reply.ok || now.world.empty()) return;
        ask(call(now, "addRoot", {object({{"objectId", reply.result["object"]["objectId"]}})}),
            [](const Cdp::Reply&) {});
      });
}

}  // namespace popvault::injector
