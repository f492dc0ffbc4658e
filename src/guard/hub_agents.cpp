// What the guard does to agents' sessions.
#include "guard/agent.hpp"
#include "guard/hub.hpp"

namespace popvault::guard {

std::vector<Session*> Hub::agents_in(std::string_view page) {
  std::vector<Session*> out;
  for (auto& [id, session] : sessions.all())
    if (session.agent && !session.target.empty() && targets.page_of(session.target) == page) out.push_back(&session);
  return out;
}

void Hub::hide(Session& session, bool told) {
  if (session.hidden) return;
  session.hidden = true;
  auto& agent = static_cast<Agent&>(*session.owner);
  link.call("Runtime.runIfWaitingForDebugger", {}, session.id);
  link.call("Target.detachFromTarget", Json::Object{{"sessionId", session.id}}, session.parent);
  if (told) agent.lost(session);
}

void Hub::hide_frame(std::string_view target) {
  for (auto& [id, session] : sessions.all())
    if (session.agent && session.target == target) hide(session, true);
}

void Hub::cut(std::string_view page) {
  for (Session* const session : agents_in(page)) {
    if (session->hidden) continue;
    static_cast<Agent&>(*session->owner).cut(*session);
    if (session->kind == Place::Kind::page) link.call("Page.stopScreencast", {}, session->id);
  }
}

void Hub::hold_off(const std::string& page) {
  // Ids: making one anew changes the table.
  std::vector<std::string> ids;
  for (const Session* const session : agents_in(page))
    if (!session->hidden && session->target == page) ids.push_back(session->id);
  for (const std::string& id : ids)
    if (Session* const session = sessions.find(id); session != nullptr) static_cast<Agent&>(*session->owner).renew(*session);
}

void Hub::committed(const std::string& page, const std::string& loader) {
  for (const auto& agent : agents) agent->committed(page, loader);
}

void Hub::navigated(const std::string& page, const Json& frame) {
  for (const auto& agent : agents) agent->navigated(page, frame);
}

void Hub::let_back(const std::string& page) {
  for (Session* const session : agents_in(page))
    if (!session->hidden && session->target == page) static_cast<Agent&>(*session->owner).stand_again(*session);
}

void Hub::show_page(const std::string& page) {
  const Target* const target = targets.find(page);
  if (target == nullptr) return;
  for (const auto& agent : agents) agent->found(*target);
}

void Hub::open_page(const std::string& url, bool own, const void* sealer, const std::function<void(const std::string&)>& done) {
  if (!own) return open_in(context, url, sealer, done);
  link.call("Target.createBrowserContext", {}, {}, [this, url, sealer, done](const Json& result, bool ok) {
    if (!ok) return done({});
    const std::string made = result["browserContextId"].text_or("");
    own_contexts_.insert(made);
    set_downloads(made);
    open_in(made, url, sealer, done);
  });
}

void Hub::end_context(const std::string& own) {
  link.call("Target.disposeBrowserContext", Json::Object{{"browserContextId", own}}, {});
}

void Hub::open_in(const std::string& where, const std::string& url, const void* sealer,
                  const std::function<void(const std::string&)>& done) {
  ++opening_;
  link.call("Target.createTarget", Json::Object{{"url", url}, {"browserContextId", where}}, {},
            [this, where, sealer, done](const Json& result, bool ok) {
              const std::string id = result["targetId"].text_or("");
              const bool own = own_contexts_.count(where) != 0;
              if (ok) pages.unseen_page(id, sealer, own ? where : std::string());
              if (!ok && own) end_context(where);
              for (const std::string& fresh : fresh_)
                if (const Target* const tab = targets.find(fresh); ok && tab != nullptr && tab->type == "tab") hidden_tabs_.insert(fresh);
              if (--opening_ == 0) {
                fresh_.clear();
                const auto tasks = std::move(after_opening_);
                after_opening_.clear();
                for (const auto& task : tasks) task();
              }
              done(ok ? id : std::string());
            });
}

}  // namespace popvault::guard
