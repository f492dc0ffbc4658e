#include <algorithm>

#include "wire/recipe.hpp"

namespace popvault::wire {
namespace {

bool segment_matches(std::string_view pattern, std::string_view text) noexcept {
  const std::size_t star = pattern.find('*');
  if (star == pattern.npos) return pattern == text;
  const std::string_view before = pattern.substr(0, star), after = pattern.substr(star + 1);
  return text.size() > before.size() + after.size() && text.starts_with(before) && text.ends_with(after);
}

}  // namespace

bool Pattern::matches(const std::vector<std::string_view>& path) const noexcept {
  const bool open = !segments.empty() && segments.back() == "**";
  if (open ? path.size() < segments.size() : path.size() != segments.size()) return false;
  const std::size_t fixed = segments.size() - (open ? 1 : 0);
  for (std::size_t i = 0; i < fixed; ++i)
    if (!segment_matches(segments[i], path[i])) return false;
  return true;
}

bool Pattern::reaches(const std::vector<std::string_view>& path) const noexcept {
  const bool open = !segments.empty() && segments.back() == "**";
  const std::size_t fixed = segments.size() - (open ? 1 : 0);
  if (!open && path.size() > fixed) return false;
  for (std::size_t i = 0; i < std::min(fixed, path.size()); ++i)
    if (!segment_matches(segments[i], path[i])) return false;
  return true;
}

}  // namespace popvault::wire
