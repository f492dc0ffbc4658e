#include "guard/targets.hpp"

#include "base/origin.hpp"

namespace popvault::guard {

Target& Targets::changed(const Json& info) {
  const std::string id = info["targetId"].text_or("");
  Target& out = all_[id];
  out.id = id;
  out.type = info["type"].text_or("other");
  out.url = info["url"].text_or("");
  out.title = info["title"].text_or("");
  out.context = info["browserContextId"].text_or("");
  out.parent = info["parentId"].text_or(info["parentFrameId"].text_or(out.parent));
  out.opener = info["openerId"].text_or("");
  out.info = info;
  return out;
}

void Targets::gone(std::string_view id) {
  if (const auto found = all_.find(id); found != all_.end()) all_.erase(found);
}

void Targets::set_parent(const std::string& id, const std::string& parent) { all_[id].parent = parent; }

const Target* Targets::find(std::string_view id) const {
  const auto found = all_.find(id);
  return found == all_.end() ? nullptr : &found->second;
}

std::string Targets::url_of(std::string_view id) const {
  const Target* const target = find(id);
  return target == nullptr ? std::string() : target->url;
}

std::string Targets::page_of(std::string_view id) const {
  constexpr int kDeepest = 64;
  const Target* at = find(id);
  for (int n = 0; at != nullptr && n < kDeepest; ++n) {
    if (at->type == "page") return at->id;
    at = find(at->parent);
  }
  return {};
}

Place::Kind kind_of(std::string_view type) {
  if (type == "browser") return Place::Kind::browser;
  if (type == "tab") return Place::Kind::tab;
  if (type == "page") return Place::Kind::page;
  if (type == "iframe") return Place::Kind::frame;
  return Place::Kind::worker;
}

void ProcessorOrigins::add(const std::vector<std::string>& origins) {
  for (const std::string& text : origins)
    if (const auto origin = Origin::parse(text)) origins_.insert(origin->text());
}

bool ProcessorOrigins::has(std::string_view url) const {
  for (const std::string_view scheme : {"blob:", "filesystem:", "view-source:"})
    if (url.substr(0, scheme.size()) == scheme) url.remove_prefix(scheme.size());
  const auto origin = Origin::of_url(url);
  return origin && origins_.count(origin->text()) != 0;
}

}  // namespace popvault::guard
