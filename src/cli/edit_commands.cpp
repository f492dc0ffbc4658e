// edit, rm. The owner proof is the confirmation: its prompt says what is about to happen.
#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/field_lines.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"
#include "cli/secret_input.hpp"

namespace popvault::cli {
namespace {

std::string name_of(const Json& view) { return "\"" + escape_for_terminal(view["label"].text_or("")) + "\""; }

bool is_dash(const SecretBytes& value) {
  const ByteView text = value.reveal(SecretAccess{});
  return text.size() == 1 && text[0] == '-';
}

std::string prompt_of(const FieldSpec& spec) {
  std::string out = std::string(spec.name) + " (";
  if (spec.hidden) out += "not shown; ";
  return out + (spec.required ? "enter keeps it): " : "enter keeps it, - takes it away): ");
}

// What an edit sends: only what changes. An empty value takes a field away.
struct Changes {
  std::string label;  // empty: stays
  SecretFields fields;
};

Result<Changes> ask_for_changes(const Json& view, std::span<const FieldSpec> specs) {
  auto terminal = Terminal::open();
  if (!terminal) return fail(Errc::usage, "there is no terminal to ask on; use --label or --fields-fd N");
  Changes out;
  PV_ASSIGN(const SecretBytes label,
            terminal->ask("label, now " + name_of(view) + " (enter keeps it): ", Echo::on));
  out.label = as_text(label.reveal(SecretAccess{}));
  for (const FieldSpec& spec : specs) {
    PV_ASSIGN(SecretBytes value, terminal->ask(prompt_of(spec), spec.hidden ? Echo::off : Echo::on));
    if (value.empty()) continue;
    if (!spec.required && is_dash(value)) value.reset();
    PV_TRY(out.fields.set(spec.name, value.reveal(SecretAccess{})));
  }
  return out;
}

Status keep_required(const SecretFields& changes, std::span<const FieldSpec> specs) {
  for (const FieldSpec& spec : specs) {
    const auto value = changes.find(spec.name, SecretAccess{});
    if (spec.required && value && value->empty())
      return fail(Errc::invalid_field, std::string(spec.name) + " cannot be taken away");
  }
  return {};
}

Result<Changes> changes_to(const Json& view, const Arguments& args) {
  const auto specs = fields_of(view["kind"].text_or(""));
  Changes out;
  if (args.fields_fd) {
    PV_ASSIGN(const SecretBytes text, read_secret_all(*args.fields_fd, kMaxFieldsSize, "fields"));
    PV_ASSIGN(out.fields, parse_field_lines(text, specs));
    out.label = args.record.label;
  } else if (!args.record.label.empty()) {
    out.label = args.record.label;
  } else {
    PV_ASSIGN(out, ask_for_changes(view, specs));
  }
  PV_TRY(keep_required(out.fields, specs));
  if (out.label.empty() && out.fields.names().empty()) return fail(Errc::usage, "there is nothing to change");
  return out;
}

Result<Json> view_of(OwnerSession& session, const std::string& id) {
  return session.call("record.show", Json::Object{{"id", id}});
}

// The view of a record that may be in the trash, where `show` does not see it.
Result<Json> view_in_trash(OwnerSession& session, const std::string& id) {
  Json params = Json::Object{{"limit", 100}, {"trash", true}};
  while (true) {
    PV_ASSIGN(const Json page, session.call("record.list", params));
    if (const auto* records = page["records"].array())
      for (const Json& view : *records)
        if (view["id"].text_or("") == id || view["alias"].text_or("") == id) return view;
    const std::string* next = page["next"].string();
    if (next == nullptr) return fail(Errc::not_found, "record");
    params.set("cursor", *next);
  }
}

Result<Json> view_to_remove(OwnerSession& session, const std::string& id, bool now) {
  auto view = view_of(session, id);
  const bool gone = !view && view.error().code == Errc::not_found;
  return gone && now ? view_in_trash(session, id) : std::move(view);
}

Result<Output> take_back(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  // Named before anybody is asked for a passphrase.
  PV_ASSIGN(const Json kept, view_in_trash(session, context.args.record.id));
  PV_ASSIGN(const Json view, call_proved(context, session, "record.restore", Json::Object{{"id", kept["id"]}},
                                         "take it back"));
  return Output{view, "taken back " + record_line(view)};
}

// Before the passphrase, where one is typed.
void ask_about_removal(const Context& context, const OwnerSession& session, const Json& view, bool now) {
  if (context.args.passphrase_fd || session.machine_mode()) return;
  auto terminal = Terminal::open();
  if (!terminal) return;
  terminal->say(now ? "Destroy " + name_of(view) + "? It cannot be taken back.\n"
                    : "Move " + name_of(view) + " to the trash? It can be taken back for 30 days.\n");
}

}  // namespace

Result<Output> edit_record(const Context& context) {
  const Arguments& args = context.args;
  if (args.fields_fd && args.fields_fd == args.passphrase_fd)
    return fail(Errc::usage, "--fields-fd and --passphrase-fd need two descriptors");
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json view, view_of(session, args.record.id));
  PV_ASSIGN(const Changes changes, changes_to(view, args));
  Json params = Json::Object{{"id", view["id"]}};
  if (!changes.label.empty()) params.set("label", changes.label);
  PV_ASSIGN(const Signer signer, ask_signer(context, session, "change " + name_of(view)));
  const SecretFields* const bundle = changes.fields.names().empty() ? nullptr : &changes.fields;
  PV_ASSIGN(const Json result, session.call_with_proof("record.edit", std::move(params), signer, bundle));
  return Output{result, "changed " + record_line(result)};
}

Result<Output> remove_record(const Context& context) {
  const RecordOptions& options = context.args.record;
  if (options.now && options.undo) return fail(Errc::usage, "--now and --undo exclude each other");
  if (options.undo) return take_back(context);
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json view, view_to_remove(session, options.id, options.now));
  Json params = Json::Object{{"id", view["id"]}};
  if (options.now) params.set("now", true);
  ask_about_removal(context, session, view, options.now);
  PV_ASSIGN(const Signer signer,
            ask_signer(context, session, options.now ? "destroy it" : "move it to the trash"));
  PV_ASSIGN(const Json result, session.call_with_proof("record.remove", std::move(params), signer));
  const std::string name = name_of(view) + " (" + escape_for_terminal(view["id"].text_or("")) + ")";
  const std::string until = escape_for_terminal(result["trashed_until"].text_or("?"));
  return Output{result, options.now ? "destroyed " + name + "\n"
                                    : "moved " + name + " to the trash until " + until + "\n"};
}

}  // namespace popvault::cli
