// Whether a held request is one that a recipe allows, and what its body becomes then.
//
// match() is a pure function: it sees the aliases, never a real value. Its Plan is the body rebuilt from the parsed
// form: plain text with holes, which render.hpp fills. Nothing of the request's own bytes is kept but what a rule allows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "rpc/injector_protocol.hpp"
#include "wire/recipe.hpp"

namespace popvault::wire {

// Why a request is not substituted: the first condition that fails, in this order.
enum class Mismatch : std::uint8_t {
  mode,                 // the recipe is a sealed one
  frame,                // another frame posts it
  method,
  url_form,             // not in normal form: userinfo, fragment, trailing dot, odd escapes, dot segments
  url_scheme,           // http, and not a loopback that the caller allowed
  url_origin,
  url_path,
  url_query,            // a query member that is not listed, is there twice, or has a value that is not allowed
  alias_in_url,
  header_form,          // a header that decides (type, length's coding, account) is there twice, or overrides the method
  alias_in_header,
  content_encoding,
  content_type,
  charset,
  body_incomplete,
  body_too_large,
  body_form,            // does not parse strictly
  duplicate_member,
  unlisted_member,
  value_not_allowed,    // of a listed member: type, length or fixed value
  graphql_document,     // not the one operation
  no_place,             // holds no field of the card
  number_value,         // at the number's place, but not exactly the alias
  exp_value,
  cvc_value,
  alias_elsewhere,
  account_missing,      // names no merchant account
  account_mismatch,     // names one that is not pinned, or none is pinned
};
constexpr std::size_t kMismatchCount = 28;
std::string_view to_string(Mismatch mismatch) noexcept;
// Outcome::account_mismatch for the last two, else Outcome::recipe_mismatch.
injector::Outcome to_outcome(Mismatch mismatch) noexcept;

// What the injector knows of a request that Fetch holds. Views live as long as the call.
struct Request {
  std::string_view method;
  std::string_view url;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string_view body;
  bool body_whole = false;            // every post data entry had bytes and was taken over
  Relation relation = Relation::other;
  std::string_view frame_url;         // of the frame that posts
};

// What the page was given, and what the owner pinned.
struct Expected {
  const injector::Aliases& aliases;
  const std::vector<std::string>& accounts;
  bool allow_loopback_http = false;
  std::string_view holder = {};       // what was typed for the holder; empty: the holder's member stays as it is
};

enum class Escape : std::uint8_t { form, json, raw };

// Where a real value goes. `shape` for number and cvc: `#` is the next digit and everything else itself; for the
// expiry: M, MM, YY, YYYY and separators; for the holder: empty, the whole text.
struct Hole {
  Place place{};
  std::string shape;
  Escape escape{};
  bool operator==(const Hole&) const = default;
};

using Piece = std::variant<std::string, Hole>;

struct Plan {
  std::vector<Piece> pieces;
  std::size_t rule = 0;               // index into the recipe's requests
  std::string account;                // the pinned account that was named (the first of them)
  bool holds(Place place) const noexcept;
};

// A Plan, or why there is none. With several rules, the mismatch of the rule that got furthest.
struct Match {
  std::optional<Plan> plan;
  Mismatch mismatch{};
  // The alias number stands somewhere in the request: without a plan it must not go its way as if nothing were.
  bool carries_alias = false;
  explicit operator bool() const noexcept { return plan.has_value(); }
};
Match match(const Recipe& recipe, const Expected& expected, const Request& request);

// Whether the request is of an origin and path that a rule of the recipe has. False for a preflight (OPTIONS). What match()
// refuses here and does not carry the alias is another call of the same page (one URL serves all of a GraphQL API).
bool concerns(const Recipe& recipe, std::string_view method, std::string_view url);

}  // namespace popvault::wire
