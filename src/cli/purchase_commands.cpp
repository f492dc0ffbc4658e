// approvals, approve, deny, purchases.
#include <algorithm>

#include "base/money.hpp"
#include "cli/approvals_screen.hpp"
#include "cli/command.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"
#include "cli/purchase_list.hpp"
#include "cli/secret_input.hpp"

namespace popvault::cli {
namespace {

std::string list_text(const Json& purchases, std::string (*show)(const Json&)) {
  std::string out;
  for (const Json& purchase : *purchases.array()) out += show(purchase);
  return out;
}

Result<Json> waiting(OwnerSession& session) { return purchases_with(session, "awaiting_approval", kMostListed); }

std::string waiting_text(const Json& purchases) {
  return purchases.array()->empty() ? "nothing waits for you\n" : list_text(purchases, &purchase_lines);
}

// The owner sees what is asked before the passphrase: the daemon's own row, not what somebody wrote in a
// chat. What cannot be shown is not asked for.
Status show_before_approval(OwnerSession& session, const std::string& id, bool force) {
  auto terminal = Terminal::open();
  if (!terminal) return {};
  PV_ASSIGN(const Json purchases, purchases_with(session, force ? "denied" : "awaiting_approval", kMostListed));
  const Json::Array& list = *purchases.array();
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const Json& p) { return p["purchase"].text_or("") == id; });
  if (found == list.end())
    return fail(Errc::not_found, force ? "no denied purchase has this id" : "no purchase with this id waits for you");
  terminal->say(purchase_lines(*found));
  return {};
}

Output outcome(const Json& result) {
  return {Json::Object{{"purchase", result["purchase"]}, {"status", result["status"]}},
          plain_line("purchase", result["purchase"]) + plain_line("status", result["status"])};
}

Json id_param(const Context& context) { return Json::Object{{"purchase", context.args.purchase.id}}; }

Result<Output> proved(const Context& context, std::string_view method, std::string_view why) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result, call_proved(context, session, method, id_param(context), why));
  return outcome(result);
}

}  // namespace

Result<Output> list_approvals(const Context& context) {
  if (context.args.purchase.watch) {
    PV_TRY(watch_approvals(context));
    return Output{};
  }
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json purchases, waiting(session));
  return Output{purchases, waiting_text(purchases)};
}

Result<Output> approve_purchase(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  const bool force = context.args.purchase.force;
  if (!context.args.passphrase_fd) PV_TRY(show_before_approval(session, context.args.purchase.id, force));
  Json params = id_param(context);
  if (force) params.set("force", true);
  PV_ASSIGN(const Json result, call_proved(context, session, "purchase.approve", std::move(params),
                                           force ? "approve this purchase against the policy" : "approve this purchase"));
  return outcome(result);
}

Result<Output> deny_purchase(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  PV_ASSIGN(const Json result, session.call("purchase.deny", id_param(context)));
  return outcome(result);
}

Result<Output> list_purchases(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json purchases,
            purchases_with(session, context.args.purchase.status, context.args.purchase.limit));
  return Output{purchases, list_text(purchases, &purchase_line)};
}

Result<Output> settle_purchase(const Context& context) {
  return proved(context, "purchase.settle", "settle this purchase");
}

Result<Output> release_purchase(const Context& context) {
  return proved(context, "purchase.release", "release this purchase");
}

Result<Output> adjust_spending(const Context& context) {
  const PurchaseOptions& options = context.args.purchase;
  PV_ASSIGN(const Currency currency, Currency::parse(options.currency));
  const bool back = options.amount.starts_with("-");
  const auto minor = parse_amount(std::string_view(options.amount).substr(back ? 1 : 0), currency);
  if (!minor) return fail(Errc::invalid_field, "--amount: " + minor.error().detail);
  Json params = Json::Object{{"agent", options.agent},
                             {"amount_minor", back ? -*minor : *minor},
                             {"currency", currency.code()},
                             {"reason", options.reason}};
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result,
            call_proved(context, session, "purchase.adjust", std::move(params), "correct what was spent"));
  return Output{result, plain_line("agent", result["agent"]) +
                            "spent in 24 hours: " + format_amount(result["spent_day_minor"].int_or(0), currency) +
                            "\nspent in 30 days: " + format_amount(result["spent_month_minor"].int_or(0), currency) + "\n"};
}

}  // namespace popvault::cli
