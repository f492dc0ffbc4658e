// audit list, verify.
#include "cli/command.hpp"
#include "cli/display.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"

namespace popvault::cli {

Result<Output> list_journal(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  Json params = Json::Object{{"limit", context.args.audit.limit}};
  if (context.args.audit.after) params.set("after", *context.args.audit.after);
  PV_ASSIGN(const Json result, session.call("audit.list", params));
  Output out{result["rows"], {}};
  if (const auto* rows = result["rows"].array())
    for (const Json& row : *rows)
      out.text += std::to_string(row["seq"].int_or(0)) + "  " + escape_for_terminal(row["at"].text_or("?")) +
                  "  " + escape_for_terminal(row["kind"].text_or("?")) + "  " +
                  escape_for_terminal(row["body"].dump()) + "\n";
  return out;
}

Result<Output> verify_journal(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result, session.call("audit.verify"));
  const bool ok = result["ok"].bool_or(false);
  std::string text = ok ? "the journal is whole\n" : "THE JOURNAL IS BROKEN; keep the files as evidence\n";
  text += plain_line("rows", result["rows"]) + plain_line("head", result["head"]);
  return Output{result, std::move(text), ok ? 0 : 1};
}

}  // namespace popvault::cli
