// What the browser says there is: pages, frames, workers; kept by the guard's own discovery (Target.setDiscoverTargets).
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "guard/rules.hpp"
#include "rpc/json.hpp"

namespace popvault::guard {

struct Target {
  std::string id, type, url, title, context, parent, opener;
  Json info;  // as the browser says it
};

class Targets {
 public:
  // From targetCreated, targetInfoChanged or attachedToTarget.
  Target& changed(const Json& info);
  void gone(std::string_view id);
  // Of a worker, which does not say it itself.
  void set_parent(const std::string& id, const std::string& parent);
  const Target* find(std::string_view id) const;
  // The page that a frame or worker stands in; empty when that is not known.
  std::string page_of(std::string_view id) const;
  std::string url_of(std::string_view id) const;
  const std::map<std::string, Target, std::less<>>& all() const noexcept { return all_; }

 private:
  std::map<std::string, Target, std::less<>> all_;
};

Place::Kind kind_of(std::string_view type);

// The origins whose documents no agent may touch.
class ProcessorOrigins {
 public:
  void add(const std::vector<std::string>& origins);
  // Of a URL, also blob: and filesystem: ones.
  bool has(std::string_view url) const;
  const std::set<std::string, std::less<>>& all() const noexcept { return origins_; }

 private:
  std::set<std::string, std::less<>> origins_;
};

}  // namespace popvault::guard
