#include "session/grants.hpp"

#include <algorithm>

namespace popvault {
namespace {

bool in_force(const Grant& grant, Seconds now) { return grant.created_at <= now && now < grant.expires_at; }

}  // namespace

bool Grants::remove(std::string_view id) {
  const auto at = grants_.find(id);
  if (at == grants_.end()) return false;
  grants_.erase(at);
  return true;
}

const SecretBytes* Grants::key(std::string_view agent, std::string_view record, Seconds now) const {
  for (const auto& [id, grant] : grants_) {
    if (grant.agent != agent || !in_force(grant, now)) continue;
    const auto at = grant.records.find(record);
    if (at != grant.records.end()) return &at->second;
  }
  return nullptr;
}

bool Grants::covers_agent(std::string_view agent, Seconds now) const {
  return std::any_of(grants_.begin(), grants_.end(),
                     [&](const auto& entry) { return entry.second.agent == agent && in_force(entry.second, now); });
}

bool Grants::uses(std::string_view record, Seconds now) const {
  return std::any_of(grants_.begin(), grants_.end(), [&](const auto& entry) {
    return entry.second.records.contains(record) && now < entry.second.expires_at;
  });
}

std::size_t Grants::drop_overdue(Seconds now) {
  return std::erase_if(grants_, [&](const auto& entry) { return entry.second.expires_at <= now; });
}

}  // namespace popvault
