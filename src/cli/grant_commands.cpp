// grant, grants, revoke.
#include <charconv>

#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"

namespace popvault::cli {
namespace {

constexpr std::int64_t kShortest = 60;
constexpr std::int64_t kLongest = 86'400;

// "90s", "30m", "8h": seconds.
Result<Json> seconds_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::int64_t factor = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc{} || factor == 0 || number <= 0 || number > kLongest / factor || number * factor < kShortest)
    return fail(Errc::invalid_field, "--ttl takes a time such as 30m or 8h: a minute at least, 24h at most");
  return Json(number * factor);
}

std::string grant_lines(const Json& grant) {
  std::string out = plain_line("grant", grant["grant"]);
  for (const char* name : {"agent", "status", "expires_at"}) out += "  " + plain_line(name, grant[name]);
  if (const auto* records = grant["records"].array())
    for (const Json& record : *records) out += "  record: " + escape_ascii(record.text_or("?")) + "\n";
  if (grant["sealed"].bool_or(false)) out += "  sealed to the service\n";
  return out;
}

}  // namespace

Result<Output> create_grant(const Context& context) {
  const GrantOptions& options = context.args.grant;
  Json::Array records;
  for (const std::string& record : options.records) records.emplace_back(record);
  Json params = Json::Object{{"agent", options.agent}, {"records", std::move(records)}};
  if (options.ttl) {
    PV_ASSIGN(Json ttl, seconds_of(*options.ttl));
    params.set("ttl_s", std::move(ttl));
  }
  if (options.seal) params.set("seal", *options.seal);
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json grant, call_proved(context, session, "grant.create", std::move(params), "make the grant"));
  return Output{grant, grant_lines(grant)};
}

Result<Output> list_grants(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  PV_ASSIGN(const Json result, session.call("grant.list"));
  std::string text;
  if (const auto* grants = result["grants"].array())
    for (const Json& grant : *grants) text += grant_lines(grant);
  return Output{result["grants"], text.empty() ? "there are no grants\n" : text};
}

Result<Output> revoke_grant(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  PV_ASSIGN(const Json result, session.call("grant.revoke", Json::Object{{"grant", context.args.grant.id}}));
  return Output{result, plain_line("grant", result["grant"]) + plain_line("status", result["status"])};
}

}  // namespace popvault::cli
