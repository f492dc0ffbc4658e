#include "wire/headers.hpp"

#include <algorithm>

#include "wire/body.hpp"

namespace popvault::wire {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}
std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}
bool same(std::string_view given, std::string_view name) {
  return std::equal(given.begin(), given.end(), name.begin(), name.end(), [](char a, char b) { return lower(a) == b; });
}

}  // namespace

const std::string_view* Headers::find(std::string_view name) const noexcept {
  for (const auto& header : request_.headers)
    if (same(header.first, name)) return &header.second;
  return nullptr;
}

std::size_t Headers::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(std::count_if(request_.headers.begin(), request_.headers.end(),
                                                [&](const auto& header) { return same(header.first, name); }));
}

bool Headers::well_formed(const RequestRule& rule) const noexcept {
  for (const std::string_view name : {"x-http-method-override", "x-http-method", "x-method-override"})
    if (count(name) > 0) return false;
  for (const std::string_view name : {"content-type", "content-encoding", "content-length", "transfer-encoding"})
    if (count(name) > 1) return false;
  return std::all_of(rule.accounts.begin(), rule.accounts.end(), [&](const AccountRule& account) {
    return account.source != AccountSource::header || count(account.name) <= 1;
  });
}

std::optional<ContentType> parse_content_type(std::string_view text, bool multipart) {
  ContentType out;
  bool first = true;
  while (true) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view part = trimmed(text.substr(0, end));
    if (first) {
      out.media = lowered(part);
      first = false;
    } else {
      const std::size_t equals = part.find('=');
      if (equals == part.npos) return std::nullopt;
      std::string_view value = part.substr(equals + 1);
      if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) value = value.substr(1, value.size() - 2);
      if (same(part.substr(0, equals), "charset") && out.charset.empty() && !value.empty()) {
        out.charset = lowered(value);
      } else if (multipart && same(part.substr(0, equals), "boundary") && out.boundary.empty()) {
        out.boundary = std::string(value);
      } else {
        return std::nullopt;
      }
    }
    if (end == text.size()) break;
    text.remove_prefix(end + 1);
  }
  if (multipart && !valid_boundary(out.boundary)) return std::nullopt;
  return out;
}

}  // namespace popvault::wire
