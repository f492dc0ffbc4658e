// policy set, show, unset, kill; config get, set.
#include <unistd.h>

#include <charconv>
#include <climits>
#include <cstdlib>

#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/local_files.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"
#include "cli/policy_params.hpp"
#include "cli/policy_text.hpp"
#include "cli/secret_input.hpp"
#include "os/trusted_program.hpp"

namespace popvault::cli {
namespace {

constexpr std::size_t kMaxQuestion = 64 * 1024;

Output settings_output(const Json& settings) {
  std::string text;
  if (const auto* members = settings.object())
    for (const auto& member : *members)
      text += member.second.is_null() ? member.first + ": none\n" : plain_line(member.first, member.second);
  return {settings, std::move(text)};
}

Result<Json> config_value(const std::string& key, const std::string& text) {
  if (text == "none" || text == "null") return Json();
  const bool days = key == "journal.retention_days";
  if (days || key.starts_with("lock.")) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
      return fail(Errc::invalid_field, key + (days ? " takes days, or none" : " takes seconds, or none"));
    return Json(number);
  }
  if (key != "allow_loopback_http") return Json(text);
  if (text == "true") return Json(true);
  if (text == "false") return Json(false);
  return fail(Errc::invalid_field, "allow_loopback_http is true or false");
}

Json agent_param(const Context& context) { return Json::Object{{"agent", context.args.policy.agent}}; }

// What the agent has now; null when it has no policy.
Result<Json> present_policy(const Context& context, OwnerSession& session) {
  auto present = session.call("policy.show", agent_param(context));
  if (present || present.error().code != Errc::not_found || present.error().detail == "agent") return present;
  return Json();
}

// The new policy, and how it came about.
Output changed(const Json& policy, const Json& preview, const std::string& changes, const char* head) {
  Json out = policy;
  out.set("changes", preview["changes"]);
  out.set("widens", preview["widens"]);
  return {std::move(out), head + changes + policy_text(policy)};
}

// A narrowing is done at once; anything else is shown, and then the owner's proof is asked for.
Result<Output> put_policy(const Context& context, OwnerSession& session, const Json& present, Json params) {
  PV_ASSIGN(const Json preview, session.call("policy.preview", params));
  const std::string changes = changes_text(preview["changes"], present, params);
  if (changes.empty() && !present.is_null()) return changed(present, preview, "", "nothing changes\n");
  if (!preview["widens"].bool_or(true)) {
    PV_ASSIGN(const Json policy, session.call("policy.narrow", params));
    return changed(policy, preview, changes, "this narrows what the agent may do, and counts from now on:\n");
  }
  constexpr const char* kHead = "this lets the agent do more than now:\n";
  if (!context.args.passphrase_fd)
    if (auto terminal = Terminal::open()) terminal->say(kHead + changes);
  PV_ASSIGN(const Json policy, call_proved(context, session, "policy.set", std::move(params), "allow this"));
  return changed(policy, preview, changes, kHead);
}

Result<Bytes> read_question(const std::string& path) {
  if (path != "-") return read_named_file(path, kMaxQuestion);
  PV_ASSIGN(const SecretBytes text, read_secret_all(STDIN_FILENO, kMaxQuestion, "the request"));
  const ByteView view = text.reveal(SecretAccess{});
  return Bytes(view.begin(), view.end());
}

// What an agent would send with purchase.request, whole or its params.
Result<Json> question_of(const std::string& path) {
  PV_ASSIGN(const Bytes text, read_question(path));
  const auto parsed = Json::parse(as_text(text));
  if (!parsed || parsed->object() == nullptr)
    return fail(Errc::invalid_field, "--explain takes a JSON object with record, amount_minor, currency and merchant_origin");
  Json out = (*parsed)["params"].object() != nullptr ? (*parsed)["params"] : *parsed;
  for (const char* member : {"reason", "page_url", "idempotency_key"}) out.erase(member);
  return out;
}

Result<Output> explain_policy(const Context& context, OwnerSession& session) {
  PV_ASSIGN(Json question, question_of(*context.args.policy.explain));
  Json params = agent_param(context);
  params.set("request", std::move(question));
  PV_ASSIGN(const Json result, session.call("policy.explain", params));
  return Output{result, escape_for_terminal(result["text"].text_or("")) + "\n" + plain_line("rule", result["rule"])};
}

}  // namespace

Result<Output> set_policy(const Context& context) {
  const PolicyOptions& options = context.args.policy;
  const Seconds now = system_clock().now();
  PV_TRY(check_policy_options(options, now));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json present, present_policy(context, session));
  PV_ASSIGN(Json params, policy_params(options, present, now));
  return put_policy(context, session, present, std::move(params));
}

Result<Output> kill_policy(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json present, session.call("policy.show", agent_param(context)));
  Json params = present;
  params.set("killed", true);
  return put_policy(context, session, present, std::move(params));
}

Result<Output> show_policy(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  if (context.args.policy.explain) return explain_policy(context, session);
  PV_ASSIGN(const Json policy, session.call("policy.show", agent_param(context)));
  return Output{policy, policy_text(policy)};
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

namespace {

// What a symbolic link leads to is what is enrolled.
void resolve_path(const std::string& key, Json& value) {
  char real[PATH_MAX];
  if ((key == "browser.program" || key == "browser.exchange") && value.string() != nullptr && value.string()->starts_with("/") &&
      realpath(value.string()->c_str(), real) != nullptr)
    value = Json(std::string(real));
}

// Before the passphrase is asked for: it would be refused each time it is used.
Status check_path(const std::string& key, const Json& value) {
  const bool folder = key == "browser.exchange";
  if ((!folder && key != "approvals.hook" && key != "browser.program") || value.string() == nullptr) return {};
  const auto program = folder ? open_own_folder(*value.string()) : open_trusted_program(*value.string());
  if (program) return {};
  return fail(Errc::invalid_field, key + ": " + (program.error().detail.empty() ? program.error().message() : program.error().detail) +
                                       (program.error().code == Errc::not_found ? " is not there" : ""));
}

}  // namespace

Result<Output> set_config(const Context& context) {
  const std::string& key = *context.args.config.key;
  PV_ASSIGN(Json value, config_value(key, context.args.config.value));
  resolve_path(key, value);
  PV_TRY(check_path(key, value));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result,
            call_proved(context, session, "config.set",
                        Json::Object{{"key", key}, {"value", std::move(value)}}, "change the setting"));
  return settings_output(result["settings"]);
}

}  // namespace popvault::cli
