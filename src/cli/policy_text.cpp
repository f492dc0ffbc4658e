#include "cli/policy_text.hpp"

#include <algorithm>

#include "base/money.hpp"
#include "base/display.hpp"
#include "cli/masked_text.hpp"
#include "os/clock.hpp"

namespace popvault::cli {
namespace {

// What the members are called here.
constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"per_use_minor", "per use"},         {"per_day_minor", "per day"},    {"per_month_minor", "per month"},
    {"uses_per_hour", "uses per hour"},   {"ask_above_minor", "asked above"}, {"strength", "strength"},
    {"unlisted", "unlisted merchants"},   {"drift_bp", "price drift"},     {"expires_at", "expires"},
    {"killed", "kill switch"},            {"currency", "currency"}};

std::string money(const Json& minor, const Json& code) {
  const auto currency = Currency::parse(code.text_or(""));
  if (minor.integer() == nullptr) return "none";
  return currency ? format_amount(*minor.integer(), *currency) : std::to_string(*minor.integer());
}

// 150 is "1.50 %".
std::string percent(std::int64_t basis_points) {
  const std::string part = std::to_string(basis_points % 100);
  return std::to_string(basis_points / 100) + "." + (part.size() == 1 ? "0" : "") + part + " %";
}

std::string value_of(std::string_view member, const Json& value, const Json& code) {
  if (member.ends_with("_minor")) return money(value, code);
  if (member == "expires_at") return value.integer() != nullptr ? rfc3339(*value.integer()) : "never";
  if (member == "killed") return value.bool_or(false) ? "on: nothing is allowed" : "off";
  if (member == "drift_bp" && value.integer() != nullptr) return percent(*value.integer());
  if (value.integer() != nullptr) return std::to_string(*value.integer());
  return escape_ascii(value.text_or("none"));
}

std::string line(const Json& policy, std::string_view member) {
  const auto name = std::find_if(std::begin(kNames), std::end(kNames), [&](const auto& row) { return row.first == member; });
  return std::string(name->second) + ": " + value_of(member, policy[member], policy["currency"]) + "\n";
}

std::string change_text(const Json& change, const Json& before, const Json& after) {
  const std::string what = change["what"].text_or("");
  const auto name = std::find_if(std::begin(kNames), std::end(kNames), [&](const auto& row) { return row.first == what; });
  std::string out;
  if (what.starts_with("price_selector at ")) {
    out = "price at " + escape_ascii(what.substr(what.rfind(' ') + 1)) + ": " + escape_ascii(change["from"].text_or("none")) + " -> " +
          escape_ascii(change["to"].text_or("none"));
  } else if (name == std::end(kNames)) {
    out = escape_ascii(what) + ": " + (change["to"].bool_or(false) ? "added" : "taken away");
  } else {
    out = std::string(name->second) + ": ";
    out += (before.is_null() ? "none" : value_of(what, change["from"], before["currency"])) + " -> ";
    out += value_of(what, change["to"], after["currency"]);
  }
  return "  " + out + (change["widens"].bool_or(false) ? "   (allows more)" : "") + "\n";
}

}  // namespace

std::string policy_text(const Json& policy) {
  std::string text = plain_line("agent", policy["agent"]);
  if (const auto* merchants = policy["merchants"].array())
    for (const Json& m : *merchants) {
      text += "merchant: " + escape_ascii(m["origin"].text_or("?")) + "\n";
      if (const auto* processors = m["processors"].array())
        for (const Json& p : *processors) text += "  processor: " + escape_ascii(p.text_or("?")) + "\n";
      if (const auto* accounts = m["accounts"].array())
        for (const Json& a : *accounts) text += "  account: " + escape_ascii(a.text_or("?")) + "\n";
      if (const std::string* selector = m["price_selector"].string()) text += "  price at: " + escape_ascii(*selector) + "\n";
    }
  for (const char* member : {"per_use_minor", "per_day_minor", "per_month_minor", "uses_per_hour", "ask_above_minor", "strength",
                             "unlisted", "drift_bp", "expires_at", "killed"})
    text += line(policy, member);
  std::string records;
  if (const auto* ids = policy["records"].array())
    for (const Json& id : *ids) records += (records.empty() ? "" : ", ") + (id.text_or("") == "*" ? "every card" : escape_ascii(id.text_or("?")));
  return text + "records: " + (records.empty() ? "none" : records) + "\n";
}

std::string changes_text(const Json& changes, const Json& before, const Json& after) {
  std::string out;
  if (const auto* list = changes.array())
    for (const Json& change : *list) out += change_text(change, before, after);
  return out;
}

}  // namespace popvault::cli
