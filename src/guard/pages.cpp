#include "guard/pages.hpp"

#include "base/origin.hpp"
#include "guard/hub.hpp"
#include "log/log.hpp"

namespace popvault::guard {
namespace {

const Json::Limits kEvent{16 * 1024 * 1024, 64};

std::string origin_text(std::string_view url) {
  const auto origin = Origin::of_url(url);
  return origin ? origin->text() : std::string();
}

}  // namespace

Page* Pages::find(std::string_view id) {
  const auto found = pages_.find(id);
  return found == pages_.end() ? nullptr : &found->second;
}

const Page* Pages::find(std::string_view id) const {
  const auto found = pages_.find(id);
  return found == pages_.end() ? nullptr : &found->second;
}

Page* Pages::of_target(std::string_view target) { return find(hub_.targets.page_of(target)); }

void Pages::unseen_page(const std::string& id, const void* sealer, const std::string& own_context) {
  Page& page = pages_[id];
  page.id = id;
  page.context = own_context;
  page.unseen = true;
  page.sealer = sealer;
}

void Pages::watch(const Session& session, BrowserLink::Reply done) {
  Json::Array patterns;
  if (const Page* const page = of_target(session.target); page != nullptr && page->sealed)
    patterns.push_back(Json::Object{{"urlPattern", "*"}, {"requestStage", "Response"}});
  for (const std::string& origin : hub_.processors.all())
    patterns.push_back(Json::Object{{"urlPattern", origin + "/*"}, {"resourceType", "Document"}});
  if (patterns.empty()) return hub_.link.call("Fetch.disable", {}, session.id, std::move(done));
  hub_.link.call("Fetch.enable", Json::Object{{"patterns", std::move(patterns)}}, session.id, std::move(done));
}

void Pages::watch_page(std::string_view page, const std::function<void()>& done) {
  const auto left = std::make_shared<int>(1);
  const auto one = [left, done] {
    if (--*left == 0) done();
  };
  for (const auto& [id, session] : hub_.sessions.all()) {
    if (session.owner != &hub_ || hub_.targets.page_of(session.target) != page) continue;
    ++*left;
    watch(session, [one](const Json&, bool) { one(); });
  }
  one();
}

void Pages::processors_changed() {
  for (const auto& [id, session] : hub_.sessions.all())
    if (session.owner == &hub_ && (session.kind == Place::Kind::page || session.kind == Place::Kind::frame)) watch(session);
  for (const auto& [id, target] : hub_.targets.all()) target_changed(id);
}

void Pages::attached(Session& session, bool waiting) {
  const std::string id = session.id;
  if (session.kind == Place::Kind::page) {
    Page& page = pages_[session.target];
    page.id = session.target;
    page.session = id;
  }
  if (session.kind == Place::Kind::page || session.kind == Place::Kind::frame) {
    watch(session);
    hub_.link.call("Page.enable", {}, id);
    hub_.link.call("Page.getFrameTree", {}, id, [this, id](const Json& result, bool ok) {
      if (const Session* const known = hub_.sessions.find(id); ok && known != nullptr) learn(result["frameTree"], *known);
    });
    hub_.link.call("Target.setAutoAttach",
                   Json::Object{{"autoAttach", true}, {"waitForDebuggerOnStart", true}, {"flatten", true},
                                {"filter", Json::Array{Json(Json::Object{{"type", "iframe"}})}}}, id);
  }
  if (waiting) hub_.link.call("Runtime.runIfWaitingForDebugger", {}, id);
}

bool Pages::out_of_bounds(std::string_view id) const {
  constexpr int kDeepest = 64;
  const Target* target = hub_.targets.find(id);
  for (int n = 0; target != nullptr && n < kDeepest; ++n) {
    const bool processor = hub_.processors.has(target->url);
    if (target->type == "page") {
      // A popup without an origin of its own has its opener's.
      const bool own = !origin_text(target->url).empty();
      return !own && n == 0 && !target->opener.empty() && 
             (out_of_bounds(target->opener) || hub_.processors.has(hub_.targets.url_of(target->opener)));
    }
    if (processor || (heading_.count(target->id) != 0 && origin_text(target->url).empty())) return true;
    target = hub_.targets.find(target->parent);
  }
  return heading_.count(id) != 0;
}

bool Pages::reached_by_agent(std::string_view target) const {
  const auto page = pages_.find(target);
  if (page != pages_.end() && page->second.held_off) return false;
  for (const auto& [id, session] : hub_.sessions.all())
    if (session.agent && !session.hidden && session.target == target) return true;
  return false;
}

void Pages::touched(std::string_view target) {
  const auto page = pages_.find(target);
  if (page != pages_.end() && page->second.held_off) return;
  touched_.insert(std::string(target));
  for (auto& [frame, document] : documents_)
    if (document.target == target) taint(document);
}

void Pages::taint(Document& document) {
  document.tainted = true;
  const Target* const page = hub_.targets.find(hub_.targets.page_of(document.target));
  if (page != nullptr && !document.origin.empty()) scripted_.insert({page->context, document.origin});
}

void Pages::event(const CdpMessage& message, Session& session) {
  if (message.method.substr(0, 6) != "Fetch." && message.method.substr(0, 10) != "Page.frame") return;
  const auto params = Json::parse(message.params, kEvent);
  if (!params) return;
  if (message.method == "Fetch.requestPaused") paused(*params, session);
  if (message.method == "Page.frameNavigated") navigated((*params)["frame"], session);
  if (message.method == "Page.frameDetached" && (*params)["reason"].text_or("") != "swap") document_gone((*params)["frameId"].text_or(""));
  if (message.method == "Page.frameStoppedLoading" && (*params)["frameId"].text_or("") == session.target) {
    // A navigation that came to nothing leaves the old document.
    Page* const page = find(session.target);
    const auto at = documents_.find(session.target);
    if (page != nullptr) hub_.committed(page->id, {});
    if (page != nullptr && page->held_off && at != documents_.end() && !hub_.processors.has(at->second.origin)) let_back(*page);
  }
}

// Of a sealed page. The codes with which a browser sends the body again.
void Pages::answered(const Json& params, const Session& session) {
  const std::int64_t status = params["responseStatusCode"].int_or(0);
  const std::string method = params["request"]["method"].text_or("");
  const bool again = method != "GET" && method != "HEAD" &&
                     (status == 307 || status == 308 || ((status == 301 || status == 302) && method != "POST"));
  Json out = Json::Object{{"requestId", params["requestId"]}};
  if (!again) return hub_.link.call("Fetch.continueRequest", out, session.id);
  log_warning("a redirect of a sealed page's request is failed");
  out.set("errorReason", "Aborted");
  hub_.link.call("Fetch.failRequest", out, session.id);
}

void Pages::paused(const Json& params, Session& session) {
  if (params.find("responseStatusCode") != nullptr || params.find("responseErrorReason") != nullptr) return answered(params, session);
  const std::string frame = params["frameId"].text_or("");
  Page* const page = session.kind == Place::Kind::page && frame == session.target ? find(frame) : nullptr;
  if (page != nullptr) {
    hold_off(*page);
  } else {
    mark(frame, params["networkId"].text_or(""), session);
    hub_.hide_frame(frame);
  }
  // After what was just sent, on the one pipe.
  hub_.link.call("Fetch.continueRequest", Json::Object{{"requestId", params["requestId"]}}, session.id);
}

void Pages::hold_off(Page& page) {
  if (page.held_off) return;
  page.held_off = true;
  hub_.hold_off(page.id);
}

void Pages::let_back(Page& page) {
  page.held_off = false;
  touched(page.id);
  hub_.let_back(page.id);
}

// What was there before we looked.
void Pages::learn(const Json& tree, const Session& session) {
  const Json& frame = tree["frame"];
  const std::string id = frame["id"].text_or("");
  if (!id.empty() && documents_.count(id) == 0) {
    const bool was_touched = touched_.count(session.target) != 0;
    navigated(frame, session);
    if (was_touched && documents_.count(id) != 0) taint(documents_[id]);
  }
  if (const auto* const children = tree["childFrames"].array(); children != nullptr)
    for (const Json& child : *children) learn(child, session);
}

bool Pages::is_processor(std::string_view id) const {
  const Page* const page = find(id);
  if (page != nullptr && page->held_off) return true;
  const auto document = documents_.find(id);
  return hub_.processors.has(document == documents_.end() ? hub_.targets.url_of(id) : document->second.origin);
}

void Pages::navigated(const Json& frame, const Session& session) {
  Document document;
  document.frame = frame["id"].text_or("");
  document.loader = frame["loaderId"].text_or("");
  document.origin = origin_text(frame["url"].text_or(""));
  document.target = session.target;
  const bool processor = !document.origin.empty() && hub_.processors.has(document.origin);
  // A commit that was on its way when the processor's navigation was paused does not end that.
  const auto before = documents_.find(document.frame);
  const auto heading = heading_.find(document.frame);
  if (!processor && heading != heading_.end() &&
      (heading->second == document.loader || (before != documents_.end() && hub_.processors.has(before->second.origin))))
    unmark(document.frame);
  document_gone(document.frame);
  if (Page* const page = document.frame == session.target ? find(session.target) : nullptr; page != nullptr) {
    // One that came without being paused is not clean, and nobody scripts it from here on.
    const bool surprise = processor && !page->held_off && reached_by_agent(page->id);
    document.tainted = false;
    if (surprise || (!page->held_off && reached_by_agent(page->id))) taint(document);
    documents_[document.frame] = document;
    hub_.committed(page->id, document.loader);
    if (surprise) hold_off(*page);
    if (processor) hub_.navigated(page->id, frame);
    if (!processor && page->held_off) let_back(*page);
    return;
  }
  document.tainted = false;
  if (reached_by_agent(session.target)) taint(document);
  documents_[document.frame] = document;
  if (!processor) return;
  mark(document.frame, document.loader, session);
  hub_.hide_frame(document.frame);
}

void Pages::mark(const std::string& frame, const std::string& loader, const Session& session) {
  heading_[frame] = loader;
  if (Page* const page = of_target(session.target); page != nullptr) page->hidden_frames.insert(frame);
}

void Pages::unmark(std::string_view frame) {
  if (const auto found = heading_.find(frame); found != heading_.end()) heading_.erase(found);
  for (auto& [id, page] : pages_)
    if (const auto found = page.hidden_frames.find(frame); found != page.hidden_frames.end()) page.hidden_frames.erase(found);
}

void Pages::document_gone(std::string_view frame) {
  const auto found = documents_.find(frame);
  if (found == documents_.end()) return;
  const std::pair<std::string, std::string> name(found->second.frame, found->second.loader);
  documents_.erase(found);
  for (auto& [id, page] : pages_) {
    if (page.filled.erase(name) == 0 || !page.filled.empty() || page.sealer != nullptr || !page.sealed) continue;
    hub_.loop.post([this, id = id] { (void)unseal(id); });
  }
}

void Pages::target_changed(const std::string& id) {
  const Target* const target = hub_.targets.find(id);
  if (target == nullptr || target->type == "page") return;
  if (out_of_bounds(id)) {
    if (reached_by_agent(id)) touched(id);
    hub_.hide_frame(id);
  } else if (!target->url.empty()) {
    unmark(id);
  }
}

void Pages::target_gone(const std::string& id) {
  unmark(id);
  document_gone(id);
  pages_.erase(id);
  touched_.erase(id);
}

bool Pages::clean(std::string_view page, std::string_view frame) const {
  const auto found = documents_.find(frame);
  if (found == documents_.end() || found->second.tainted || hub_.targets.page_of(found->second.target) != page) return false;
  // A document of the same origin can script it.
  for (const auto& [id, other] : documents_)
    if (other.tainted && !other.origin.empty() && other.origin == found->second.origin && hub_.targets.page_of(other.target) == page) return false;
  // And what an agent left in its storage, caches or workers can.
  const Target* const target = hub_.targets.find(std::string(page));
  const std::string context = target != nullptr ? target->context : std::string();
  return !found->second.origin.empty() && scripted_.count({context, found->second.origin}) == 0;
}

void Pages::look(std::string_view page, std::function<void()> done) {
  const auto left = std::make_shared<int>(1);
  const auto one = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  for (const auto& [id, session] : hub_.sessions.all()) {
    if (session.owner != &hub_ || hub_.targets.page_of(session.target) != page) continue;
    ++*left;
    hub_.link.call("Page.getFrameTree", {}, id, [this, name = id, one](const Json& result, bool ok) {
      if (const Session* const known = hub_.sessions.find(name); ok && known != nullptr) learn(result["frameTree"], *known);
      one();
    });
  }
  one();
}

void Pages::seal(const void* sealer, std::string_view id, const std::vector<std::string>& frames,
                 const std::function<void(const std::string&)>& done) {
  Page* const page = find(id);
  if (page == nullptr) return done("no such page");
  if (page->sealed && page->sealer != sealer) return done("tainted");
  for (const std::string& frame : frames)
    if (!clean(id, frame)) return done("tainted");
  page->sealed = true;
  page->sealer = sealer;
  for (const std::string& frame : frames) page->filled.insert({frame, documents_[frame].loader});
  hub_.cut(page->id);
  watch_page(page->id, [done] { done({}); });
}

std::string Pages::unseal(std::string_view id) {
  Page* const page = find(id);
  if (page == nullptr) return "no such page";
  if (std::exchange(page->sealed, false)) watch_page(page->id, [] {});
  page->sealer = nullptr;
  page->filled.clear();
  page->grace.reset();
  if (!page->context.empty()) {
    hub_.end_context(std::exchange(page->context, {}));
  } else if (std::exchange(page->unseen, false)) {
    hub_.show_page(page->id);
  }
  return {};
}

std::string Pages::redact(std::string_view id) {
  Page* const page = find(id);
  if (page == nullptr) return "no such page";
  page->redacted = true;
  return {};
}

void Pages::clear(const std::string& id) {
  Page* const page = find(id);
  if (page == nullptr || !page->sealed || page->sealer != nullptr) return;
  log_info("a sealed page is left, its injector being gone");
  hub_.link.call("Page.navigate", Json::Object{{"url", "about:blank"}}, page->session, [this, id](const Json&, bool) {
    hub_.link.call("Page.resetNavigationHistory", {}, find(id) != nullptr ? find(id)->session : std::string(),
                   [this, id](const Json&, bool) { (void)unseal(id); });
  });
}

void Pages::sealer_gone(const void* sealer) {
  constexpr std::int64_t kGraceMs = 30'000;
  for (auto& [id, page] : pages_) {
    if (page.unseen && !page.sealed && page.sealer == sealer) hub_.loop.post([this, id = id] { (void)unseal(id); });
    if (!page.sealed || page.sealer != sealer) continue;
    page.sealer = nullptr;
    if (page.filled.empty()) hub_.loop.post([this, id = id] { (void)unseal(id); });
    else page.grace = hub_.loop.after(kGraceMs, [this, id = id] { clear(id); });
  }
}

}  // namespace popvault::guard
