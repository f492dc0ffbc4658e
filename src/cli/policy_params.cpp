#include "cli/policy_params.hpp"

#include <algorithm>
#include <charconv>

#include "backup/manifest.hpp"
#include "base/origin.hpp"

namespace popvault::cli {
namespace {

constexpr Seconds kDay = 86'400;
constexpr std::int64_t kMostDays = 3'660;

Result<std::string> origin_of(std::string_view text, const char* option) {
  const auto origin = Origin::parse(text);
  if (!origin) return fail(Errc::invalid_field, std::string(option) + " takes an origin such as https://shop.example");
  return origin->text();
}

Result<std::int64_t> amount_of(const std::string& text, const Currency& currency, const char* option) {
  const auto minor = parse_amount(text, currency);
  if (!minor) return fail(Errc::invalid_field, std::string(option) + ": " + minor.error().detail);
  return *minor;
}

// ORIGIN is for every merchant, MERCHANT=ORIGIN for one; "none" takes them away.
struct Processor {
  std::string merchant;  // empty: every one
  std::string origin;    // empty: none
};

Result<Processor> processor_of(const std::string& text) {
  Processor out;
  const std::size_t split = text.find('=');
  if (split != text.npos) {
    PV_ASSIGN(out.merchant, origin_of(std::string_view(text).substr(0, split), "--processor"));
  }
  const std::string origin = split == text.npos ? text : text.substr(split + 1);
  if (origin == "none") return out;
  PV_ASSIGN(out.origin, origin_of(origin, "--processor"));
  return out;
}

Result<std::vector<Processor>> processors_of(const std::vector<std::string>& texts) {
  std::vector<Processor> out;
  for (const std::string& text : texts) {
    PV_ASSIGN(Processor one, processor_of(text));
    out.push_back(std::move(one));
  }
  return out;
}

// MERCHANT=TEXT; MERCHANT=none takes its away, "none" everybody's.
struct Named {
  std::string merchant;  // empty: every one
  std::string text;      // empty: none
};

Result<std::vector<Named>> named_of(const std::vector<std::string>& texts, const char* option) {
  std::vector<Named> out;
  for (const std::string& text : texts) {
    Named one;
    if (text != "none") {
      const std::size_t split = text.find('=');
      if (split == text.npos || split + 1 == text.size())
        return fail(Errc::invalid_field, std::string(option) + " takes MERCHANT=VALUE, with a merchant such as https://shop.example");
      PV_ASSIGN(one.merchant, origin_of(std::string_view(text).substr(0, split), option));
      one.text = text.substr(split + 1);
      if (one.text == "none") one.text.clear();
    }
    out.push_back(std::move(one));
  }
  return out;
}

// A number of days, "never", a day or a time of RFC 3339. Null is never.
Result<Json> expiry_of(const std::string& text, Seconds now) {
  if (text == "never") return Json();
  std::int64_t days = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), days);
  if (end.ec == std::errc() && end.ptr == text.data() + text.size() && days >= 1 && days <= kMostDays) return Json(now + days * kDay);
  const auto at = parse_rfc3339(text.size() == 10 ? text + "T00:00:00Z" : text);
  if (!at) return fail(Errc::invalid_field, "--expires takes a number of days, never, 2027-01-31 or 2027-01-31T12:00:00Z");
  if (*at <= now) return fail(Errc::invalid_field, "--expires is in the past; popvault policy kill ends a policy now");
  return Json(*at);
}

Json::Array array_or_empty(const Json& value) { return value.array() != nullptr ? *value.array() : Json::Array{}; }

const Json* find_merchant(const Json::Array& merchants, const std::string& origin) {
  const auto found = std::find_if(merchants.begin(), merchants.end(), [&](const Json& m) { return m["origin"].text_or("") == origin; });
  return found == merchants.end() ? nullptr : &*found;
}

// Those that were given, with the processors they have now; without any, those of now.
Result<Json::Array> merchants_of(const PolicyOptions& options, const Json& present) {
  const Json::Array now = array_or_empty(present["merchants"]);
  if (options.merchants.empty()) return now;
  Json::Array out;
  for (const std::string& text : options.merchants) {
    PV_ASSIGN(const std::string origin, origin_of(text, "--merchant"));
    if (find_merchant(out, origin) != nullptr) continue;
    const Json* known = find_merchant(now, origin);
    out.push_back(known != nullptr ? *known : Json(Json::Object{{"origin", origin}, {"processors", Json::Array{}}}));
  }
  return out;
}

// Each merchant for which one was given gets those that were given for it, and no others.
Status put_processors(Json::Array& merchants, const std::vector<Processor>& given) {
  for (const Processor& one : given)
    if (!one.merchant.empty() && find_merchant(merchants, one.merchant) == nullptr)
      return fail(Errc::invalid_field, "--processor names " + one.merchant + ", which is no merchant of this policy");
  for (Json& merchant : merchants) {
    Json::Array list;
    bool named = false;
    for (const Processor& one : given) {
      if (!one.merchant.empty() && one.merchant != merchant["origin"].text_or("")) continue;
      named = true;
      if (!one.origin.empty()) list.emplace_back(one.origin);
    }
    if (named) merchant.set("processors", std::move(list));
  }
  return {};
}

Status check_named(const Json::Array& merchants, const std::vector<Named>& given, const char* option) {
  for (const Named& one : given)
    if (!one.merchant.empty() && find_merchant(merchants, one.merchant) == nullptr)
      return fail(Errc::invalid_field, std::string(option) + " names " + one.merchant + ", which is no merchant of this policy");
  return {};
}

// What was given for a merchant; none when nothing was said about it.
std::optional<std::vector<std::string>> given_for(const Json& merchant, const std::vector<Named>& given) {
  std::optional<std::vector<std::string>> out;
  for (const Named& one : given) {
    if (!one.merchant.empty() && one.merchant != merchant["origin"].text_or("")) continue;
    if (!out) out.emplace();
    if (!one.text.empty()) out->push_back(one.text);
  }
  return out;
}

// As with processors: a merchant for which some were given gets those and no others.
Status put_accounts(Json::Array& merchants, const std::vector<std::string>& texts) {
  PV_ASSIGN(const auto given, named_of(texts, "--account"));
  PV_TRY(check_named(merchants, given, "--account"));
  for (Json& merchant : merchants)
    if (const auto accounts = given_for(merchant, given)) merchant.set("accounts", Json::Array(accounts->begin(), accounts->end()));
  return {};
}

Status put_selectors(Json::Array& merchants, const std::vector<std::string>& texts) {
  PV_ASSIGN(const auto given, named_of(texts, "--price-selector"));
  PV_TRY(check_named(merchants, given, "--price-selector"));
  for (Json& merchant : merchants) {
    const auto selectors = given_for(merchant, given);
    if (!selectors) continue;
    if (selectors->size() > 1) return fail(Errc::invalid_field, "--price-selector is given twice for " + merchant["origin"].text_or(""));
    merchant.set("price_selector", selectors->empty() ? Json() : Json(selectors->front()));
  }
  return {};
}

bool any_given(const PolicyOptions& o) {
  return !o.merchants.empty() || !o.processors.empty() || !o.accounts.empty() || !o.price_selectors.empty() || !o.records.empty() || o.per_use || o.per_day || o.per_month || o.ask_above ||
         o.currency || o.strength || o.unlisted || o.expires || o.uses_per_hour || o.price_drift || o.no_kill;
}

Status check_first(const PolicyOptions& options) {
  const auto missing = [](const char* option) {
    return fail(Errc::usage, std::string("a first policy needs --merchant, --per-use, --per-day and --currency; ") + option + " is missing");
  };
  if (options.merchants.empty() && options.unlisted != "ask") return missing("--merchant");
  if (!options.per_use) return missing("--per-use");
  if (!options.per_day) return missing("--per-day");
  if (!options.currency) return missing("--currency");
  return {};
}

// The three limits that hold each other: what was given, and what is kept, never wider than what was given.
Status put_limits(const PolicyOptions& options, const Currency& currency, bool same_currency, const Json& present, Json& out) {
  struct Limit {
    const std::optional<std::string>& given;
    const char *option, *member;
  };
  const Limit limits[] = {{options.per_month, "--per-month", "per_month_minor"},
                          {options.per_day, "--per-day", "per_day_minor"},
                          {options.per_use, "--per-use", "per_use_minor"}};
  const Limit* wider = nullptr;
  std::int64_t most = kMaxMinor;
  for (const Limit& limit : limits) {
    const std::int64_t* kept = same_currency ? present[limit.member].integer() : nullptr;
    if (!limit.given && kept == nullptr) continue;  // a month, left to the daemon
    std::int64_t value = kept != nullptr ? std::min(*kept, most) : most;
    if (limit.given) {
      PV_ASSIGN(value, amount_of(*limit.given, currency, limit.option));
      if (value > most)
        return fail(Errc::invalid_field, std::string(limit.option) + " is over " + wider->option + ", which is " + format_amount(most, currency));
    }
    out.set(limit.member, value);
    wider = &limit;
    most = value;
  }
  return {};
}

}  // namespace

Status check_policy_options(const PolicyOptions& options, Seconds now) {
  if (!any_given(options)) return fail(Errc::usage, "policy set needs an option that says what to set, such as --per-day 20.00");
  for (const std::string& merchant : options.merchants) PV_TRY(origin_of(merchant, "--merchant"));
  PV_TRY(processors_of(options.processors));
  PV_TRY(named_of(options.accounts, "--account"));
  PV_TRY(named_of(options.price_selectors, "--price-selector"));
  if (options.expires) PV_TRY(expiry_of(*options.expires, now));
  if (!options.currency) return {};
  PV_ASSIGN(const Currency currency, Currency::parse(*options.currency));
  const std::pair<const std::optional<std::string>&, const char*> amounts[] = {{options.per_use, "--per-use"},
                                                                               {options.per_day, "--per-day"},
                                                                               {options.per_month, "--per-month"},
                                                                               {options.ask_above, "--ask-above"}};
  for (const auto& amount : amounts)
    if (amount.first) PV_TRY(amount_of(*amount.first, currency, amount.second));
  return {};
}

Result<Json> policy_params(const PolicyOptions& options, const Json& present, Seconds now) {
  if (present.is_null()) PV_TRY(check_first(options));
  Json out = present.is_null() ? Json(Json::Object{}) : present;
  if (present.is_null()) out.set("agent", options.agent);
  PV_ASSIGN(const Currency currency, Currency::parse(options.currency ? *options.currency : present["currency"].text_or("")));
  const bool same_currency = currency.code() == present["currency"].text_or("");
  if (!same_currency && (!options.per_use || !options.per_day))
    return fail(Errc::usage, "another --currency needs --per-use and --per-day in it");
  PV_ASSIGN(Json::Array merchants, merchants_of(options, present));
  PV_ASSIGN(const auto processors, processors_of(options.processors));
  PV_TRY(put_processors(merchants, processors));
  PV_TRY(put_accounts(merchants, options.accounts));
  PV_TRY(put_selectors(merchants, options.price_selectors));
  out.set("merchants", std::move(merchants));
  out.set("currency", currency.code());
  if (!same_currency) {
    out.erase("per_month_minor");
    out.erase("ask_above_minor");
  }
  PV_TRY(put_limits(options, currency, same_currency, present, out));
  if (options.ask_above) {
    PV_ASSIGN(const std::int64_t above, amount_of(*options.ask_above, currency, "--ask-above"));
    out.set("ask_above_minor", above);
  }
  if (!options.records.empty()) out.set("records", Json::Array(options.records.begin(), options.records.end()));
  if (options.uses_per_hour) out.set("uses_per_hour", *options.uses_per_hour);
  if (options.price_drift) out.set("drift_bp", *options.price_drift);
  if (options.strength) out.set("strength", *options.strength);
  if (options.unlisted) out.set("unlisted", *options.unlisted);
  if (options.expires) {
    PV_ASSIGN(Json at, expiry_of(*options.expires, now));
    out.set("expires_at", std::move(at));
  }
  if (options.no_kill) out.set("killed", false);
  return out;
}

}  // namespace popvault::cli
