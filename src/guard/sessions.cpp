#include "guard/sessions.hpp"

namespace popvault::guard {

Session& Sessions::add(std::string id, Peer& owner, std::string parent, std::string target, Place::Kind kind) {
  Session& out = all_[id];
  if (out.owner != nullptr) return out;  // the event came first, then the answer
  out.id = id;
  out.name = std::move(id);
  out.owner = &owner;
  out.agent = owner.is_agent();
  out.parent = std::move(parent);
  out.target = std::move(target);
  out.kind = kind;
  return out;
}

Session* Sessions::find(std::string_view id) {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : &found->second;
}

Session* Sessions::find(const Peer& owner, std::string_view name) {
  if (Session* const same = find(name); same != nullptr && same->owner == &owner && same->name == name) return same;
  for (auto& [id, session] : all_)
    if (session.owner == &owner && session.name == name) return &session;
  return nullptr;
}

void Sessions::remove(std::string_view id) {
  const std::string gone(id);
  all_.erase(gone);
  while (true) {
    auto child = all_.begin();
    while (child != all_.end() && child->second.parent != gone) ++child;
    if (child == all_.end()) return;
    remove(std::string(child->first));
  }
}

void Sessions::remove_all(const Peer& owner) {
  for (auto at = all_.begin(); at != all_.end();) at = at->second.owner == &owner ? all_.erase(at) : std::next(at);
}

}  // namespace popvault::guard
