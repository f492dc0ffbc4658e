// add, list, show.
#include <algorithm>
#include <iterator>

#include "cli/command.hpp"
#include "cli/field_lines.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"
#include "cli/secret_input.hpp"
#include "vault/record_kinds.hpp"

namespace popvault::cli {
namespace {

std::string wire_kind(const std::string& kind) { return kind == "api-key" ? "api_key" : kind; }

Result<SecretFields> prompt_for_fields(std::span<const FieldSpec> specs) {
  auto terminal = Terminal::open();
  if (!terminal) return fail(Errc::usage, "there is no terminal to ask on; use --fields-fd N");
  SecretFields out;
  for (const FieldSpec& spec : specs) {
    PV_ASSIGN(const SecretBytes value, terminal->ask(spec.prompt, spec.hidden ? Echo::off : Echo::on));
    if (!value.empty()) PV_TRY(out.set(spec.name, value.reveal(SecretAccess{})));
  }
  return out;
}

Result<SecretFields> fields_of_record(const Arguments& args, const std::string& kind) {
  const auto specs = fields_of(kind);
  SecretFields fields;
  if (args.fields_fd) {
    PV_ASSIGN(const SecretBytes text, read_secret_all(*args.fields_fd, kMaxFieldsSize, "fields"));
    PV_ASSIGN(fields, parse_field_lines(text, specs));
  } else {
    PV_ASSIGN(fields, prompt_for_fields(specs));
  }
  PV_TRY(check_required(fields, specs));
  // The daemon checks again; here the owner learns it before anything is sent.
  PV_TRY(normalise_record(kind, fields));
  return fields;
}

Result<std::string> label_of(const Arguments& args) {
  if (!args.record.label.empty()) return args.record.label;
  if (args.fields_fd) return fail(Errc::usage, "--label is required");
  auto terminal = Terminal::open();
  if (!terminal) return fail(Errc::usage, "--label is required");
  PV_ASSIGN(const SecretBytes label, terminal->ask("Label: ", Echo::on));
  return std::string(as_text(label.reveal(SecretAccess{})));
}

}  // namespace

Result<Output> add_record(const Context& context) {
  const std::string kind = wire_kind(context.args.record.kind);
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const std::string label, label_of(context.args));
  PV_ASSIGN(const SecretFields fields, fields_of_record(context.args, kind));
  PV_ASSIGN(const Json view,
            session.call("record.add", Json::Object{{"kind", kind}, {"label", label}}, &fields));
  return Output{view, "added " + record_line(view)};
}

Result<Output> list_records(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  const std::string kind = wire_kind(context.args.record.kind);
  Json params = Json::Object{{"limit", 100}};
  if (!kind.empty()) params.set("kind", kind);
  if (context.args.record.trash) params.set("trash", true);
  Json::Array all;
  Output out;
  while (true) {
    PV_ASSIGN(const Json page, session.call("record.list", params));
    if (const auto* records = page["records"].array())
      std::copy_if(records->begin(), records->end(), std::back_inserter(all), [&](const Json& view) {
        return kind.empty() || view["kind"].text_or("") == kind;  // the trash comes whole
      });
    const std::string* next = page["next"].string();
    if (next == nullptr) break;
    params.set("cursor", *next);
  }
  for (const Json& view : all) out.text += record_line(view);
  out.json = std::move(all);
  return out;
}

Result<Output> show_record(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json view, session.call("record.show", Json::Object{{"id", context.args.record.id}}));
  return Output{view, record_lines(view)};
}

}  // namespace popvault::cli
