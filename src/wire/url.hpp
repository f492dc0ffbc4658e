// A URL in the one form that a recipe is compared with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/origin.hpp"

namespace popvault::wire {

struct Url {
  Origin origin;
  std::vector<std::string_view> path;  // segments after the first slash; views into the text
  std::optional<std::string_view> query;
  bool fragment = false;
};

// None unless it is in normal form (RFC 3986 section 6.2.2): a lower-case host without a user and without a trailing dot,
// a port that is not the default one, no dot segments, no backslash, escapes of two upper-case digits for what needs one and
// never for a slash, a backslash or a control character.
std::optional<Url> parse_url(std::string_view text);

// name=value pairs with + and %XX undone; a pair without `=` has an empty value. None when an escape is broken, or with
// `strict` when a pair has no `=` or no name, a character stands plainly that cannot, or a text is not UTF-8.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_pairs(std::string_view text, bool strict);

}  // namespace popvault::wire
