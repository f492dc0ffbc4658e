#include "guard/hub.hpp"

#include <sys/socket.h>

#include <array>

#include "guard/agent.hpp"
#include "guard/injector_link.hpp"
#include "guard/random_id.hpp"
#include "log/log.hpp"

namespace popvault::guard {
namespace {

// The pipe's queue: above the first nobody's commands are read any more.
constexpr std::size_t kPipeFull = 8 * 1024 * 1024;
const Json::Limits kEvent{16 * 1024 * 1024, 64};
constexpr std::string_view kBrowserPath = "/devtools/browser", kPagePath = "/devtools/page/";

// Every kind of target.
Json everything() { return Json::Array{Json(Json::Object{})}; }

}  // namespace

Hub::Hub(Loop& the_loop, Descriptor commands, Descriptor answers, std::string folder, std::function<void()> browser_gone)
    : loop(the_loop),
      link(loop, std::move(commands), std::move(answers),
           {[this](const CdpMessage& message) { take_event(message); }, [this] { browser_gone_(); }, [this] { drained(); }}),
      exchange(std::move(folder)),
      browser_id(random_id()),
      browser_gone_(std::move(browser_gone)) {}
Hub::~Hub() = default;

void Hub::start(std::function<void(bool)> ready) {
  link.call("Browser.getVersion", {}, {}, [this](const Json& result, bool ok) {
    if (ok) version = result.dump();
  });
  link.call("Target.setDiscoverTargets", Json::Object{{"discover", true}, {"filter", everything()}}, {});
  link.call("Target.setAutoAttach",
            Json::Object{{"autoAttach", true}, {"waitForDebuggerOnStart", true}, {"flatten", true},
                         {"filter", Json::Array{Json(Json::Object{{"type", "page"}})}}}, {});
  link.call("Target.createBrowserContext", {}, {}, [this, ready](const Json& result, bool ok) {
    if (!ok) return ready(false);
    context = result["browserContextId"].text_or("");
    set_downloads(context);
    link.call("Target.createTarget", Json::Object{{"url", "about:blank"}, {"browserContextId", context}}, {},
              [ready](const Json&, bool made) { ready(made); });
  });
}

void Hub::add_processors(const std::vector<std::string>& origins) {
  processors.add(origins);
  pages.processors_changed();
}

void Hub::set_downloads(const std::string& where) {
  Json params = Json::Object{{"behavior", exchange.empty() ? "deny" : "allow"}, {"browserContextId", where}};
  if (!exchange.empty()) params.set("downloadPath", exchange);
  link.call("Browser.setDownloadBehavior", params, {});
}

void Hub::drained() {
  for (const auto& agent : agents) agent->pause(false);
}

void Hub::take_event(const CdpMessage& message) {
  if (message.method.empty()) return;
  if (message.session.empty()) return root_event(message);
  Session* const session = sessions.find(message.session);
  if (session != nullptr) session->owner->event(message, *session);
  if (link.stream().queued() > kPipeFull)
    for (const auto& agent : agents) agent->pause(true);
}

void Hub::root_event(const CdpMessage& message) {
  const auto params = Json::parse(message.params.empty() ? "{}" : message.params, kEvent);
  if (!params) return;
  const Json& info = (*params)["targetInfo"];
  if (message.method == "Target.targetCreated" || message.method == "Target.targetInfoChanged") {
    const std::string id = targets.changed(info).id;
    if (opening() && message.method == "Target.targetCreated") fresh_.insert(id);
    pages.target_changed(id);
  }
  if (message.method == "Target.targetDestroyed") {
    const std::string id = (*params)["targetId"].text_or("");
    pages.target_gone(id);
    targets.gone(id);
  }
  if (message.method == "Target.attachedToTarget") attached(*params, {});
  if (message.method == "Target.detachedFromTarget") sessions.remove((*params)["sessionId"].text_or(""));
}

void Hub::attached(const Json& params, const std::string& parent) {
  const Json& info = params["targetInfo"];
  const std::string id = params["sessionId"].text_or("");
  // Attached on its own account: this one is not of auto-attach.
  const std::string type = info["type"].text_or("");
  if (type != "page" && type != "iframe") return;
  targets.changed(info);
  Session& session = sessions.add(id, *this, parent, info["targetId"].text_or(""), kind_of(type));
  pages.attached(session, params["waitingForDebugger"].bool_or(false));
}

void Hub::event(const CdpMessage& message, Session& session) {
  if (message.method == "Target.attachedToTarget" || message.method == "Target.detachedFromTarget") {
    const auto params = Json::parse(message.params, kEvent);
    if (!params) return;
    const std::string parent = session.id;
    if (message.method == "Target.attachedToTarget") return attached(*params, parent);
    return sessions.remove((*params)["sessionId"].text_or(""));
  }
  pages.event(message, session);
}

Place Hub::place_of(const Session& session) const {
  const Target* const target = targets.find(session.target);
  Place out = target != nullptr ? place_of_target(*target) : Place{};
  out.kind = session.kind;
  out.exchange = exchange;
  out.streams = &session.streams;
  return out;
}

Place Hub::place_of_target(const Target& target) const {
  Place out;
  out.kind = kind_of(target.type);
  const std::string id = targets.page_of(target.id);
  const Page* const page = pages.find(id);
  if (page == nullptr) return out;
  out.processor = pages.is_processor(id);
  out.sealed = page->sealed;
  out.redacted = page->redacted;
  out.hidden_frames = &page->hidden_frames;
  for (const auto& [name, session] : sessions.all())
    out.live = out.live || (session.owner->is_injector() && !session.target.empty() && targets.page_of(session.target) == id);
  return out;
}

bool Hub::visible(const Target& target) const {
  const bool known = target.type == "page" || target.type == "iframe" || target.type == "worker" || target.type == "tab" ||
                     target.type == "service_worker" || target.type == "shared_worker";
  if (!known || own_contexts_.count(target.context) != 0 || fresh_.count(target.id) != 0 || hidden_tabs_.count(target.id) != 0) return false;
  // The browser's own windows (Chromium keeps some in every profile): a client that sees a tab waits for its page.
  for (const std::string_view own : {"chrome:", "chrome-untrusted:", "devtools:"})
    if (std::string_view(target.url).substr(0, own.size()) == own) return false;
  const Page* const page = pages.find(targets.page_of(target.id));
  return (page == nullptr || !page->unseen) && !pages.out_of_bounds(target.id);
}

Json Hub::told(const Target& target) const { return told(target, target.info); }

Json Hub::told(const Target& target, Json info) const {
  return shown_target(std::move(info), place_of_target(target));
}

bool Hub::knows(std::string_view path) const {
  if (path.substr(0, kPagePath.size()) != kPagePath) return path == kBrowserPath || path == std::string(kBrowserPath) + "/" + browser_id;
  const Target* const target = targets.find(path.substr(kPagePath.size()));
  return target != nullptr && visible(*target);
}

std::shared_ptr<SocketUser> Hub::connect(std::string_view path, std::shared_ptr<Socket> socket) {
  if (!knows(path)) return nullptr;
  std::string page;
  if (path.substr(0, kPagePath.size()) == kPagePath) page = path.substr(kPagePath.size());
  auto agent = std::make_shared<Agent>(*this, std::move(socket), std::move(page));
  agents.insert(agent);
  loop.post([agent] { agent->start(); });
  return agent;
}

void Hub::agent_gone(Agent& agent) {
  for (const auto& one : agents)
    if (one.get() == &agent) {
      loop.post([one] {});  // it lives until what runs now is over
      agents.erase(one);
      return;
    }
}

Descriptor Hub::open_injector(const JobId& id, Strength strength) {
  std::array<int, 2> pair{};
  if (injectors_.count(id) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return Descriptor();
  Descriptor ours(pair[0]), theirs(pair[1]);
  const auto injector = std::make_shared<InjectorLink>(*this, id, strength, std::move(ours));
  injectors_[id] = injector;
  injector->start();
  return theirs;
}

void Hub::close_injector(const JobId& id) {
  const auto found = injectors_.find(id);
  if (found == injectors_.end()) return;
  const auto injector = found->second;
  injector->end();
}

void Hub::injector_gone(InjectorLink& injector) {
  const auto found = injectors_.find(injector.id());
  if (found == injectors_.end() || found->second.get() != &injector) return;
  loop.post([last = found->second] {});
  injectors_.erase(found);
}

}  // namespace popvault::guard
