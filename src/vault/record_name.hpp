// Names that stand in file paths and in associated data: vault, record and blob ids, and kinds.
#pragma once

#include <string_view>

namespace popvault {

constexpr std::size_t kMaxRecordName = 64;

// 1 to 64 characters of [a-z0-9_-]: no path can be built from it and JSON needs no escape.
constexpr bool valid_record_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxRecordName) return false;
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) return false;
  }
  return true;
}

}  // namespace popvault
