#include "wire/url.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace popvault::wire {
namespace {

constexpr std::size_t kMaxUrl = 8 * 1024;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool unreserved(int c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

// The byte of the escape at `at`, or -1.
int escape_at(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return -1;
  const int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool normal_path(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '%') {
      const int byte = escape_at(path, i);
      if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\' || unreserved(byte)) return false;
      if (path[i + 1] >= 'a' || path[i + 2] >= 'a') return false;
      i += 2;
    } else if (!unreserved(c) && std::string_view("/!$&'()*+,;=:@").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

std::optional<std::string> decoded(std::string_view text, bool strict) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+') {
      out.push_back(' ');
    } else if (c == '%') {
      const int byte = escape_at(text, i);
      if (byte < 0) return std::nullopt;
      out.push_back(static_cast<char>(byte));
      i += 2;
    } else if (strict && (c <= ' ' || c > '~')) {
      return std::nullopt;
    } else {
      out.push_back(c);
    }
  }
  if (!valid_utf8(out)) return std::nullopt;
  return out;
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrl) return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && c != '\\'; })) return std::nullopt;
  const std::size_t scheme = text.find("://");
  if (scheme == text.npos) return std::nullopt;
  const std::size_t authority_end = std::min(text.find_first_of("/?#", scheme + 3), text.size());
  const std::string_view authority = text.substr(0, authority_end);
  auto origin = Origin::parse(authority);
  // Origin drops a default port and reads leading zeros: only the one form is taken here.
  if (!origin || origin->text() != authority || origin->host().ends_with('.')) return std::nullopt;

  std::string_view rest = text.substr(authority_end);
  Url out{std::move(*origin), {}, std::nullopt, false};
  if (const std::size_t hash = rest.find('#'); hash != rest.npos) {
    out.fragment = true;
    rest = rest.substr(0, hash);
  }
  if (const std::size_t mark = rest.find('?'); mark != rest.npos) {
    out.query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  if (!rest.starts_with('/') || !normal_path(rest)) return std::nullopt;
  rest.remove_prefix(1);
  while (true) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, slash);
    if (segment == "." || segment == "..") return std::nullopt;
    out.path.push_back(segment);
    if (slash == rest.size()) break;
    rest.remove_prefix(slash + 1);
  }
  return out;
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_pairs(std::string_view text, bool strict) {
  std::vector<std::pair<std::string, std::string>> out;
  if (text.empty()) return out;
  while (true) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (strict && (equals == pair.npos || equals == 0)) return std::nullopt;
    auto name = decoded(pair.substr(0, equals), strict);
    auto value = decoded(equals == pair.npos ? std::string_view{} : pair.substr(equals + 1), strict);
    if (!name || !value) return std::nullopt;
    out.emplace_back(std::move(*name), std::move(*value));
    if (end == text.size()) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace popvault::wire
