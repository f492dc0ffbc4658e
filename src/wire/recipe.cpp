#include "wire/recipe.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "base/utf8.hpp"
#include "rpc/json.hpp"
#include "wire/url.hpp"

namespace popvault::wire {
namespace {

constexpr std::size_t kMaxRequests = 8, kMaxOrigins = 8, kMaxAllow = 128, kMaxAccounts = 4, kMaxFrames = 8, kMaxUrls = 8;
constexpr std::size_t kMaxFormats = 6, kMaxTypes = 4, kMaxQuery = 16, kMaxValues = 16, kMaxClaim = 4, kMaxArguments = 4;
constexpr std::size_t kMaxTitle = 80, kMaxText = 300, kMaxPath = 200, kMaxSelector = 256, kMaxValue = 64 * 1024;
constexpr std::string_view kPlaces[kPlaceCount] = {"number", "exp", "exp_month", "exp_year", "cvc", "holder"};

tl::unexpected<Error> wrong(const std::string& where, std::string_view what) {
  return fail(Errc::bad_recipe, std::string(where.empty() ? "recipe" : where).append(": ").append(what));
}

// One value of the recipe and where it stands in it.
struct Item {
  const Json& value;
  std::string where;

  Item at(std::string_view name) const { return {value[name], std::string(where).append(where.empty() ? "" : ".").append(name)}; }
  Item at(const Json& element, std::size_t index) const {
    return {element, std::string(where).append("[").append(std::to_string(index)).append("]")};
  }
  bool given() const { return !value.is_null(); }
};

bool simple_word(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// An object with no other members than these.
Status only(const Item& item, std::initializer_list<std::string_view> names) {
  const Json::Object* members = item.value.object();
  if (members == nullptr) return wrong(item.where, "an object is needed");
  for (const auto& [name, value] : *members) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      return wrong(item.where, simple_word(name) ? "unknown member " + name : std::string("unknown member"));
    if (value.is_null()) return wrong(item.where, "null is no value");
  }
  return {};
}

Result<std::string> text(const Item& item, std::size_t max) {
  const std::string* s = item.value.string();
  if (s == nullptr) return wrong(item.where, item.given() ? "a text is needed" : "missing");
  if (s->empty() || s->size() > max || !plain_text(*s)) return wrong(item.where, "empty, too long or not plain text");
  return *s;
}

Result<std::int64_t> integer(const Item& item, std::int64_t least, std::int64_t most) {
  const std::int64_t* n = item.value.integer();
  if (n == nullptr) return wrong(item.where, item.given() ? "an integer is needed" : "missing");
  if (*n < least || *n > most) return wrong(item.where, "out of range");
  return *n;
}

Result<bool> flag(const Item& item, bool fallback) {
  if (!item.given()) return fallback;
  const bool* b = item.value.boolean();
  if (b == nullptr) return wrong(item.where, "true or false is needed");
  return *b;
}

// Reads each element of an array; a missing one is an empty array when `least` is 0.
template <class T, class Each>
Result<std::vector<T>> list(const Item& item, std::size_t least, std::size_t most, Each each) {
  std::vector<T> out;
  if (!item.given() && least == 0) return out;
  const Json::Array* elements = item.value.array();
  if (elements == nullptr) return wrong(item.where, item.given() ? "an array is needed" : "missing");
  if (elements->size() < least || elements->size() > most) return wrong(item.where, "too few or too many elements");
  for (std::size_t i = 0; i < elements->size(); ++i) {
    PV_ASSIGN(T element, each(item.at((*elements)[i], i)));
    out.push_back(std::move(element));
  }
  return out;
}

Result<std::vector<std::string>> texts(const Item& item, std::size_t least, std::size_t most, std::size_t max) {
  return list<std::string>(item, least, most, [max](const Item& element) { return text(element, max); });
}

template <class E>
Result<E> word(const Item& item, std::initializer_list<std::pair<std::string_view, E>> words) {
  PV_ASSIGN(const std::string given, text(item, 32));
  for (const auto& [name, value] : words)
    if (name == given) return value;
  return wrong(item.where, "not a word of its list");
}

// ---- patterns and URLs

Result<Pattern> pattern(const Item& item, std::string_view whole, char separator, bool deep) {
  Pattern out;
  std::string_view rest = whole;
  while (true) {
    const std::size_t end = std::min(separator == '\0' ? rest.npos : rest.find(separator), rest.size());
    out.segments.emplace_back(rest.substr(0, end));
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  for (std::size_t i = 0; i < out.segments.size(); ++i) {
    const std::string& segment = out.segments[i];
    const bool last = i + 1 == out.segments.size();
    if (segment.empty() && !(separator == '/' && last)) return wrong(item.where, "an empty segment");
    if (segment == "**" && (!deep || !last || i == 0)) return wrong(item.where, "** only at the end of a longer path");
    if (segment != "**" && std::count(segment.begin(), segment.end(), '*') > 1)
      return wrong(item.where, "one * in a segment");
  }
  return out;
}

Result<Origin> origin(const Item& item) {
  PV_ASSIGN(const std::string given, text(item, kMaxText));
  auto parsed = Origin::parse(given);
  if (!parsed || parsed->text() != given || parsed->host().ends_with('.')) return wrong(item.where, "not an exact origin");
  if (!parsed->https() && !parsed->loopback()) return wrong(item.where, "https is needed");
  return std::move(*parsed);
}

// A URL whose path may have `*`.
Result<UrlPattern> url_pattern(const Item& item) {
  PV_ASSIGN(const std::string given, text(item, kMaxText));
  const auto url = parse_url(given);
  if (!url || url->query || url->fragment) return wrong(item.where, "not a URL in normal form");
  if (!url->origin.https() && !url->origin.loopback()) return wrong(item.where, "https is needed");
  const std::size_t slash = given.find('/', given.find("://") + 3);
  // "/**" alone is each path of the origin.
  if (std::string_view(given).substr(slash) == "/**") return UrlPattern{url->origin, Pattern{{"**"}}};
  PV_ASSIGN(Pattern path, pattern(item, std::string_view(given).substr(slash + 1), '/', true));
  return UrlPattern{url->origin, std::move(path)};
}

// A member's name: segments between dots in JSON, one segment in a form.
Result<Pattern> member(const Item& item, std::string_view given, BodyForm form, bool exact) {
  const bool tree = form == BodyForm::json || form == BodyForm::graphql;
  PV_ASSIGN(Pattern out, pattern(item, given, tree ? '.' : '\0', tree));
  const bool star = given.find('*') != given.npos;
  if (star && (exact || out.segments[0] == "*")) return wrong(item.where, exact ? "no * here" : "a name must begin it");
  return out;
}

// ---- members of a request

bool separator(char c) { return std::string_view("/ -.").find(c) != std::string_view::npos; }

// One M or MM and one YY or YYYY, as the place needs them, with separators between.
bool valid_format(Place place, std::string_view format, bool integer) {
  int months = 0, years = 0;
  for (std::size_t i = 0; i < format.size();) {
    std::size_t run = 1;
    while (i + run < format.size() && format[i + run] == format[i]) ++run;
    if (format[i] == 'M' && run <= 2) {
      ++months;
    } else if (format[i] == 'Y' && (run == 2 || run == 4)) {
      ++years;
    } else if (!separator(format[i]) || run > 1 || place != Place::exp) {
      return false;
    }
    i += run;
  }
  if (format.empty() || format.size() > 12 || separator(format.front()) || separator(format.back())) return false;
  if (months != (place == Place::exp_year ? 0 : 1) || years != (place == Place::exp_month ? 0 : 1)) return false;
  return !integer || (place != Place::exp && format != "MM");
}

Result<PlaceRule> place_rule(const Item& item, Place place, BodyForm form) {
  PlaceRule out;
  out.place = place;
  const bool expiry = place == Place::exp || place == Place::exp_month || place == Place::exp_year;
  if (const std::string* path = item.value.string()) {
    if (expiry) return wrong(item.where, "formats are needed");
    PV_ASSIGN(const std::string given, text(item, kMaxPath));
    PV_ASSIGN(out.path, member(item, given, form, true));
    (void)path;
    return out;
  }
  PV_TRY(only(item, {"path", "form", "formats", "json"}));
  PV_ASSIGN(const std::string given, text(item.at("path"), kMaxPath));
  PV_ASSIGN(out.path, member(item.at("path"), given, form, true));
  if (const Item number = item.at("form"); number.given()) {
    if (place != Place::number) return wrong(number.where, "only of the number");
    PV_ASSIGN(out.number, (word<NumberForm>(number, {{"plain", NumberForm::plain}, {"grouped", NumberForm::grouped}})));
  }
  if (const Item json = item.at("json"); json.given()) {
    enum class Kinds { string, integer, either };
    if ((form != BodyForm::json && form != BodyForm::graphql) || (place != Place::exp_month && place != Place::exp_year))
      return wrong(json.where, "only of month and year in JSON");
    PV_ASSIGN(const Kinds kinds, (word<Kinds>(json, {{"string", Kinds::string}, {"integer", Kinds::integer}, {"either", Kinds::either}})));
    out.text = kinds != Kinds::integer;
    out.integer = kinds != Kinds::string;
  }
  const Item formats = item.at("formats");
  if (!expiry) {
    if (formats.given()) return wrong(formats.where, "only of the expiry");
    return out;
  }
  PV_ASSIGN(out.formats, texts(formats, 1, kMaxFormats, 16));
  for (const std::string& format : out.formats)
    if (!valid_format(place, format, !out.text)) return wrong(formats.where, "not a format of this place");
  return out;
}

Result<AllowRule> allow_rule(const Item& item, BodyForm form, bool exact) {
  AllowRule out;
  if (item.value.string() != nullptr) {
    PV_ASSIGN(const std::string given, text(item, kMaxPath));
    PV_ASSIGN(out.path, member(item, given, form, exact));
    return out;
  }
  PV_TRY(only(item, {"path", "type", "max", "values"}));
  PV_ASSIGN(const std::string given, text(item.at("path"), kMaxPath));
  PV_ASSIGN(out.path, member(item.at("path"), given, form, exact));
  if (const Item type = item.at("type"); type.given()) {
    PV_ASSIGN(out.type, (word<Type>(type, {{"string", Type::string}, {"integer", Type::integer}, {"number", Type::number},
                                           {"boolean", Type::boolean}, {"null", Type::null}, {"scalar", Type::scalar}})));
    if (form != BodyForm::json && form != BodyForm::graphql && out.type != Type::string)
      return wrong(type.where, "a form has texts only");
  }
  if (const Item max = item.at("max"); max.given()) {
    PV_ASSIGN(const std::int64_t n, integer(max, 0, kMaxValue));
    out.max = static_cast<std::size_t>(n);
  }
  PV_ASSIGN(out.values, texts(item.at("values"), 0, kMaxValues, kMaxText));
  return out;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

Result<AccountRule> account_rule(const Item& item, BodyForm form) {
  PV_TRY(only(item, {"member", "header", "query", "segment", "bearer", "claim"}));
  AccountRule out;
  int sources = 0;
  if (const Item at = item.at("member"); at.given()) {
    ++sources;
    out.source = AccountSource::member;
    PV_ASSIGN(const std::string given, text(at, kMaxPath));
    PV_ASSIGN(out.path, member(at, given, form, true));
  }
  for (const auto& [name, source] : {std::pair{"header", AccountSource::header}, std::pair{"query", AccountSource::query}}) {
    const Item at = item.at(name);
    if (!at.given()) continue;
    ++sources;
    out.source = source;
    PV_ASSIGN(out.name, text(at, 64));
    if (source == AccountSource::header && out.name != lower(out.name)) return wrong(at.where, "in lower case");
  }
  if (const Item at = item.at("segment"); at.given()) {
    ++sources;
    out.source = AccountSource::segment;
    PV_ASSIGN(const std::int64_t n, integer(at, 0, 15));
    out.segment = static_cast<std::size_t>(n);
  }
  if (sources != 1) return wrong(item.where, "one of member, header, query, segment");
  PV_ASSIGN(out.bearer, flag(item.at("bearer"), false));
  PV_ASSIGN(out.claim, texts(item.at("claim"), 0, kMaxClaim, 64));
  return out;
}

Status read_graphql(const Item& item, RequestRule& out) {
  if ((out.form == BodyForm::graphql) != item.given()) return wrong(item.where, "of body graphql, and needed there");
  if (!item.given()) return {};
  PV_TRY(only(item, {"root", "arguments"}));
  PV_ASSIGN(out.root, text(item.at("root"), 64));
  const Item arguments = item.at("arguments");
  const Json::Object* members = arguments.value.object();
  if (members == nullptr || members->empty() || members->size() > kMaxArguments)
    return wrong(arguments.where, "an object of names and types is needed");
  for (const auto& [name, type] : *members) {
    PV_ASSIGN(std::string given, text({type, arguments.where}, 64));
    out.arguments.emplace(name, std::move(given));
  }
  return {};
}

Status read_places(const Item& item, RequestRule& out) {
  PV_TRY(only(item, {"number", "exp", "exp_month", "exp_year", "cvc", "holder"}));
  for (std::size_t i = 0; i < kPlaceCount; ++i) {
    const Item at = item.at(kPlaces[i]);
    if (!at.given()) continue;
    PV_ASSIGN(PlaceRule rule, place_rule(at, static_cast<Place>(i), out.form));
    for (const PlaceRule& other : out.places)
      if (other.path == rule.path) return wrong(at.where, "two places at one member");
    out.places.push_back(std::move(rule));
  }
  const bool secret = std::any_of(out.places.begin(), out.places.end(), [](const PlaceRule& rule) {
    return rule.place == Place::number || rule.place == Place::cvc;
  });
  if (!secret) return wrong(item.where, "number or cvc is needed");
  return {};
}

// What is listed once is not listed again: a place or an account is no ordinary member.
Status check_overlap(const Item& item, const RequestRule& rule) {
  for (const AllowRule& allowed : rule.allow) {
    for (const PlaceRule& place : rule.places)
      if (place.path == allowed.path) return wrong(item.where, "allows a place");
    for (const AccountRule& account : rule.accounts)
      if (account.source == AccountSource::member && account.path == allowed.path)
        return wrong(item.where, "allows a merchant account");
  }
  for (const AccountRule& account : rule.accounts) {
    if (account.source == AccountSource::segment && account.segment >= rule.path.segments.size())
      return wrong(item.where, "the path has no such segment");
    for (const PlaceRule& place : rule.places)
      if (account.source == AccountSource::member && account.path == place.path)
        return wrong(item.where, "a place is no merchant account");
  }
  return {};
}

std::string usual_type(BodyForm form) {
  if (form == BodyForm::form) return "application/x-www-form-urlencoded";
  return form == BodyForm::multipart ? "multipart/form-data" : "application/json";
}

Result<RequestRule> request_rule(const Item& item) {
  PV_TRY(only(item, {"origins", "method", "path", "query", "types", "body", "graphql", "places", "allow", "accounts"}));
  RequestRule out;
  PV_ASSIGN(out.origins, list<Origin>(item.at("origins"), 1, kMaxOrigins, origin));
  PV_ASSIGN(out.method, (word<std::string>(item.at("method"), {{"POST", "POST"}, {"PUT", "PUT"}, {"PATCH", "PATCH"}})));
  PV_ASSIGN(out.form, (word<BodyForm>(item.at("body"), {{"form", BodyForm::form}, {"json", BodyForm::json},
                                                        {"graphql", BodyForm::graphql}, {"multipart", BodyForm::multipart}})));
  const Item path = item.at("path");
  PV_ASSIGN(const std::string given, text(path, kMaxPath));
  if (given[0] != '/' || !parse_url("https://x" + given) || given.find_first_of("?#") != given.npos)
    return wrong(path.where, "not a path in normal form");
  PV_ASSIGN(out.path, pattern(path, std::string_view(given).substr(1), '/', false));
  PV_ASSIGN(out.query, list<AllowRule>(item.at("query"), 0, kMaxQuery,
                                       [](const Item& each) { return allow_rule(each, BodyForm::form, true); }));
  PV_ASSIGN(out.types, texts(item.at("types"), 0, kMaxTypes, 64));
  if (out.types.empty()) out.types.push_back(usual_type(out.form));
  for (const std::string& type : out.types)
    if (type != lower(type) || (out.form == BodyForm::multipart && type != "multipart/form-data"))
      return wrong(item.at("types").where, "not a media type for this body");
  PV_TRY(read_graphql(item.at("graphql"), out));
  PV_TRY(read_places(item.at("places"), out));
  const BodyForm form = out.form;
  PV_ASSIGN(out.allow, list<AllowRule>(item.at("allow"), 0, kMaxAllow,
                                       [form](const Item& each) { return allow_rule(each, form, false); }));
  PV_ASSIGN(out.accounts, list<AccountRule>(item.at("accounts"), 1, kMaxAccounts,
                                            [form](const Item& each) { return account_rule(each, form); }));
  PV_TRY(check_overlap(item, out));
  return out;
}

Result<FrameRule> frame_rule(const Item& item) {
  FrameRule out;
  if (const std::string* s = item.value.string()) {
    if (*s != "filled") return wrong(item.where, "\"filled\" or an object is needed");
    return out;
  }
  PV_TRY(only(item, {"relation", "urls"}));
  PV_ASSIGN(out.relation, (word<Relation>(item.at("relation"), {{"child", Relation::child}, {"parent", Relation::parent},
                                                                {"sibling", Relation::sibling}})));
  PV_ASSIGN(out.urls, list<UrlPattern>(item.at("urls"), 1, kMaxUrls, url_pattern));
  return out;
}

bool is_date(std::string_view text) {
  if (text.size() != 10) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9') return false;
  return true;
}

}  // namespace

std::string_view to_string(Place place) noexcept { return kPlaces[static_cast<std::size_t>(place)]; }

Result<Recipe> Recipe::parse(std::string_view recipe) {
  if (recipe.size() > kMaxRecipe) return wrong("", "longer than 8 KiB");
  const auto parsed = Json::parse(recipe, {kMaxRecipe, 12});
  if (!parsed) return wrong("", "not JSON, or a name twice in one object");
  const Item item{*parsed, {}};
  PV_TRY(only(item, {"name", "version", "title", "source", "checked", "date", "mode", "documents", "frames", "requests",
                     "submit", "price", "challenges"}));
  Recipe out;
  PV_ASSIGN(out.name, text(item.at("name"), 32));
  if (!simple_word(out.name) || out.name.find('_') != out.name.npos) return wrong("name", "small letters, digits and -");
  PV_ASSIGN(const std::int64_t version, integer(item.at("version"), 1, 1'000'000));
  out.version = static_cast<std::uint32_t>(version);
  PV_ASSIGN(out.title, text(item.at("title"), kMaxTitle));
  PV_ASSIGN(out.source, text(item.at("source"), kMaxText));
  PV_ASSIGN(out.checked, flag(item.at("checked"), false));
  PV_ASSIGN(out.date, text(item.at("date"), 10));
  if (!is_date(out.date)) return wrong("date", "YYYY-MM-DD is needed");
  PV_ASSIGN(out.mode, (word<Mode>(item.at("mode"), {{"wire", Mode::wire}, {"sealed", Mode::sealed}})));
  const bool wire = out.mode == Mode::wire;
  PV_ASSIGN(out.documents, list<Origin>(item.at("documents"), wire ? 0 : 1, kMaxOrigins, origin));
  if (!wire && (item.at("requests").given() || item.at("frames").given()))
    return wrong("", "a sealed recipe has no requests and no frames");
  PV_ASSIGN(out.requests, list<RequestRule>(item.at("requests"), wire ? 1 : 0, kMaxRequests, request_rule));
  PV_ASSIGN(out.frames, list<FrameRule>(item.at("frames"), wire ? 1 : 0, kMaxFrames, frame_rule));
  for (const auto& [name, target] : {std::pair{"submit", &out.submit}, std::pair{"price", &out.price}}) {
    const Item selector = item.at(name);
    if (!selector.given()) continue;
    PV_ASSIGN(*target, text(selector, kMaxSelector));
  }
  PV_ASSIGN(out.challenges, list<UrlPattern>(item.at("challenges"), 0, kMaxUrls, url_pattern));
  return out;
}

std::vector<Origin> Recipe::origins() const {
  std::vector<Origin> out;
  const auto add = [&out](const Origin& each) {
    if (std::find(out.begin(), out.end(), each) == out.end()) out.push_back(each);
  };
  for (const Origin& each : documents) add(each);
  for (const RequestRule& request : requests)
    for (const Origin& each : request.origins) add(each);
  return out;
}

bool Recipe::is_challenge(std::string_view text) const {
  const auto url = parse_url(text);
  return url && std::any_of(challenges.begin(), challenges.end(), [&](const UrlPattern& each) {
    return each.origin == url->origin && each.path.matches(url->path);
  });
}

std::vector<std::string> Recipe::url_patterns() const {
  std::vector<std::string> out;
  for (const RequestRule& request : requests)
    for (const Origin& each : request.origins) {
      std::string pattern = each.text() + "/*";
      if (std::find(out.begin(), out.end(), pattern) == out.end()) out.push_back(std::move(pattern));
    }
  return out;
}

}  // namespace popvault::wire
