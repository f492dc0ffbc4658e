// reveal.
#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/owner_session.hpp"
#include "cli/secret_screen.hpp"
#include "secret/bundle.hpp"

namespace popvault::cli {
namespace {

// The vault key is gone when this returns: it is not needed while the values are looked at.
Result<Json> ask_daemon(const Context& context, OwnerSession& session, const Json& view, Descriptor& passed) {
  const std::string why = "reveal \"" + escape_for_terminal(view["label"].text_or("")) + "\"";
  PV_ASSIGN(const Signer signer, ask_signer(context, session, why));
  return session.call_with_proof("record.reveal", Json::Object{{"id", view["id"]}}, signer, nullptr, &passed);
}

Result<SecretFields> fields_in(Descriptor passed) {
  if (!passed) return fail(Errc::internal, "the reply has no bundle");
  PV_ASSIGN(const Bundle bundle, Bundle::receive(passed.release()));
  return bundle.fields();
}

}  // namespace

Result<Output> reveal_record(const Context& context) {
  PV_ASSIGN(const Descriptor terminal, open_secret_screen());
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json view, session.call("record.show", Json::Object{{"id", context.args.record.id}}));
  Descriptor passed;
  PV_ASSIGN(const Json result, ask_daemon(context, session, view, passed));
  RevealedRecord record{
      result["id"].text_or(""), result["kind"].text_or(""), result["label"].text_or(""), {}};
  PV_ASSIGN(record.fields, fields_in(std::move(passed)));
  PV_TRY(show_secrets(terminal.get(), record));
  Json out = Json::Object{{"id", result["id"]}, {"kind", result["kind"]}, {"fields", result["fields"]}};
  return Output{std::move(out), "revealed " + escape_for_terminal(record.label) + " (" +
                                    escape_for_terminal(record.id) + ")\n"};
}

}  // namespace popvault::cli
