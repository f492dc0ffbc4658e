// A recipe: how one processor's page sends a card, as data (docs/RECIPES.md).
//
// A recipe names the requests that may carry the card, where in them the fields stand, everything else they may hold,
// and which of it names the merchant account. parse() is strict: an unknown, missing or mistyped member, or a passed
// limit, is Errc::bad_recipe with the member's name in the detail. A parsed recipe is valid and not changed any more;
// any thread may read it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/origin.hpp"
#include "base/result.hpp"

namespace popvault::wire {

constexpr std::size_t kMaxRecipe = 8 * 1024;     // bytes of a recipe's text
constexpr std::size_t kMaxBody = 256 * 1024;     // bytes of a request's body
constexpr std::size_t kMaxDepth = 16;            // of a JSON body

// wire: the page posts the fields in clear over TLS. sealed: it encrypts them itself, so there is nothing to replace.
enum class Mode : std::uint8_t { wire, sealed };
enum class BodyForm : std::uint8_t { form, json, graphql, multipart };
enum class Place : std::uint8_t { number, exp, exp_month, exp_year, cvc, holder };
constexpr std::size_t kPlaceCount = 6;
std::string_view to_string(Place place) noexcept;

// How the number may be written: digits alone, or with single spaces or dashes between digits as well.
enum class NumberForm : std::uint8_t { plain, grouped };
// What a member's value may be. `scalar` is each of the others but no object and no array.
enum class Type : std::uint8_t { string, integer, number, boolean, null, scalar };

// Segments of a path; each is exact text, or has one `*` for one or more characters inside the segment. A last segment
// `**` stands for one segment or more. Paths of URLs are cut at `/`, of JSON members at `.`; a form's name is one segment.
struct Pattern {
  std::vector<std::string> segments;
  bool matches(const std::vector<std::string_view>& path) const noexcept;
  // Whether something at or below `path` can match.
  bool reaches(const std::vector<std::string_view>& path) const noexcept;
  bool operator==(const Pattern&) const = default;
};

// An exact origin and a pattern of its path.
struct UrlPattern {
  Origin origin;
  Pattern path;
};

struct PlaceRule {
  Place place{};
  Pattern path;                       // no `*`
  NumberForm number{};                // of Place::number
  std::vector<std::string> formats;   // of exp, exp_month, exp_year: M, MM, YY, YYYY and separators, in this order
  bool text = true;                   // a JSON string is accepted
  bool integer = false;               // a JSON integer is accepted
};

struct AllowRule {
  Pattern path;
  Type type = Type::scalar;
  std::size_t max = 256;              // bytes of the decoded value
  std::vector<std::string> values;    // when not empty: exactly one of these texts
};

enum class AccountSource : std::uint8_t { member, header, query, segment };
struct AccountRule {
  AccountSource source{};
  std::string name;                   // of a header (lower case) or a query member
  Pattern path;                       // of a member
  std::size_t segment = 0;            // of the URL's path, from 0
  bool bearer = false;                // a "Bearer " in front is dropped
  std::vector<std::string> claim;     // when not empty and the value is a JWT: this claim of it
};

struct RequestRule {
  std::vector<Origin> origins;
  std::string method;
  Pattern path;
  std::vector<AllowRule> query;       // allowed query members
  std::vector<std::string> types;     // media types, lower case, without parameters
  BodyForm form{};
  // graphql: the one operation, `mutation NAME($VARIABLE: TYPE) { ROOT(ARGUMENT: $VARIABLE) { names only } }`
  std::string root;
  std::map<std::string, std::string, std::less<>> arguments;  // each ARGUMENT and its TYPE
  std::vector<PlaceRule> places;
  std::vector<AllowRule> allow;
  std::vector<AccountRule> accounts;
};

// How the frame that posts stands to a frame that was filled.
enum class Relation : std::uint8_t { filled, child, parent, sibling, other };
struct FrameRule {
  Relation relation{};                // not `other`
  std::vector<UrlPattern> urls;       // not for `filled`
};

class Recipe {
 public:
  static Result<Recipe> parse(std::string_view text);

  std::string name;                   // [a-z0-9-], 1 to 32
  std::uint32_t version = 0;
  std::string title;                  // for people
  std::string source;                 // the public document it was made from
  bool checked = false;               // somebody tried it with the processor itself
  std::string date;                   // YYYY-MM-DD of the source, or of the try
  Mode mode{};
  std::vector<Origin> documents;      // where the documents with the fields come from
  std::vector<RequestRule> requests;  // none when sealed
  std::vector<FrameRule> frames;
  std::string submit, price;          // CSS selectors; may be empty
  std::vector<UrlPattern> challenges; // documents of 3-D Secure

  // What an owner lists for a merchant: documents, then the requests' origins, each once.
  std::vector<Origin> origins() const;
  // Whether a frame's document is a 3-D Secure challenge.
  bool is_challenge(std::string_view url) const;
  // For Fetch.enable: "https://host/*" of each request's origin.
  std::vector<std::string> url_patterns() const;

 private:
  Recipe() = default;
};

}  // namespace popvault::wire
