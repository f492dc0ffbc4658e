#include "injector/relation.hpp"

namespace popvault::injector {

wire::Relation relation_in_tree(const Page& page, const std::set<std::string>& filled, const Frame& frame) {
  if (filled.contains(frame.id)) return wire::Relation::filled;
  if (filled.contains(frame.parent)) return wire::Relation::child;
  for (const std::string& id : filled) {
    const Frame* const one = page.frame(id);
    if (one == nullptr || one->parent.empty()) continue;
    if (one->parent == frame.id) return wire::Relation::parent;
    if (one->parent == frame.parent) return wire::Relation::sibling;
  }
  return wire::Relation::other;
}

}  // namespace popvault::injector
