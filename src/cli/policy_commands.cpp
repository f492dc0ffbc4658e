// policy set, show, unset; config get, set.
#include <charconv>

#include "base/money.hpp"
#include "base/origin.hpp"
#include "cli/command.hpp"
#include "cli/display.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"

namespace popvault::cli {
namespace {

Result<Json> origins_of(const std::vector<std::string>& texts, const char* option) {
  Json::Array out;
  for (const std::string& text : texts) {
    const auto origin = Origin::parse(text);
    if (!origin)
      return fail(Errc::invalid_field, std::string(option) + " takes an origin such as https://shop.example");
    out.emplace_back(origin->text());
  }
  return Json(std::move(out));
}

Result<Json> amount_of(const std::string& text, const Currency& currency, const char* option) {
  const auto minor = parse_amount(text, currency);
  if (!minor) return fail(Errc::invalid_field, std::string(option) + ": " + minor.error().detail);
  return Json(*minor);
}

Result<Json> policy_params(const PolicyOptions& options) {
  PV_ASSIGN(const Currency currency, Currency::parse(options.currency));
  PV_ASSIGN(const Json merchants, origins_of(options.merchants, "--merchant"));
  PV_ASSIGN(const Json processors, origins_of(options.processors, "--processor"));
  Json::Array pairs;
  for (const Json& merchant : *merchants.array())
    pairs.emplace_back(Json::Object{{"origin", merchant}, {"processors", processors}});
  Json out =
      Json::Object{{"agent", options.agent}, {"merchants", std::move(pairs)}, {"currency", currency.code()}};
  PV_ASSIGN(Json per_use, amount_of(options.per_use, currency, "--per-use"));
  PV_ASSIGN(Json per_day, amount_of(options.per_day, currency, "--per-day"));
  out.set("per_use_minor", std::move(per_use));
  out.set("per_day_minor", std::move(per_day));
  if (options.auto_approve_below) {
    PV_ASSIGN(Json below, amount_of(*options.auto_approve_below, currency, "--auto-approve-below"));
    out.set("auto_approve_below_minor", std::move(below));
  }
  if (options.strength) out.set("strength", *options.strength);
  if (!options.records.empty()) {
    Json::Array records;
    for (const std::string& record : options.records) records.emplace_back(record);
    out.set("records", std::move(records));
  }
  return out;
}

std::string money_line(const char* name, const Json& minor, const Json& code) {
  const auto currency = Currency::parse(code.text_or(""));
  if (!currency || minor.integer() == nullptr) return plain_line(name, minor);
  return std::string(name) + ": " + format_amount(*minor.integer(), *currency) + "\n";
}

Output policy_output(const Json& policy) {
  std::string text = plain_line("agent", policy["agent"]);
  if (const auto* merchants = policy["merchants"].array())
    for (const Json& m : *merchants) {
      text += "merchant: " + escape_ascii(m["origin"].text_or("?")) + "\n";
      if (const auto* processors = m["processors"].array())
        for (const Json& p : *processors) text += "  processor: " + escape_ascii(p.text_or("?")) + "\n";
    }
  text += money_line("per use", policy["per_use_minor"], policy["currency"]);
  text += money_line("per day", policy["per_day_minor"], policy["currency"]);
  text += money_line("auto-approve below", policy["auto_approve_below_minor"], policy["currency"]);
  text += plain_line("strength", policy["strength"]) + plain_line("records", policy["records"]);
  return {policy, std::move(text)};
}

Output settings_output(const Json& settings) {
  std::string text;
  if (const auto* members = settings.object())
    for (const auto& member : *members)
      text += member.second.is_null() ? member.first + ": none\n" : plain_line(member.first, member.second);
  return {settings, std::move(text)};
}

Result<Json> config_value(const std::string& key, const std::string& text) {
  if (text == "none" || text == "null") return Json();
  if (key.starts_with("lock.")) {
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc{} || end != text.data() + text.size())
      return fail(Errc::invalid_field, key + " takes seconds, or none");
    return Json(seconds);
  }
  if (key != "allow_loopback_http") return Json(text);
  if (text == "true") return Json(true);
  if (text == "false") return Json(false);
  return fail(Errc::invalid_field, "allow_loopback_http is true or false");
}

Json agent_param(const Context& context) { return Json::Object{{"agent", context.args.policy.agent}}; }

}  // namespace

Result<Output> set_policy(const Context& context) {
  PV_ASSIGN(Json params, policy_params(context.args.policy));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json policy,
            call_proved(context, session, "policy.set", std::move(params), "set the policy"));
  return policy_output(policy);
}

Result<Output> show_policy(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json policy, session.call("policy.show", agent_param(context)));
  return policy_output(policy);
}

Result<Output> unset_policy(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json result, session.call("policy.unset", agent_param(context)));
  return Output{result, plain_line("agent", result["agent"]) + "it has no policy now and may do nothing\n"};
}

Result<Output> get_config(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  Json params;
  if (context.args.config.key) params.set("key", *context.args.config.key);
  PV_ASSIGN(const Json result, session.call("config.get", params));
  return settings_output(result["settings"]);
}

Result<Output> set_config(const Context& context) {
  const std::string& key = *context.args.config.key;
  PV_ASSIGN(Json value, config_value(key, context.args.config.value));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result,
            call_proved(context, session, "config.set",
                        Json::Object{{"key", key}, {"value", std::move(value)}}, "change the setting"));
  return settings_output(result["settings"]);
}

}  // namespace popvault::cli
