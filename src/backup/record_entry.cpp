#include "backup/record_entry.hpp"

#include <algorithm>

#include "backup/manifest.hpp"
#include "base/utf8.hpp"
#include "vault/flat_json.hpp"
#include "vault/secret_hex.hpp"

namespace popvault {
namespace {

constexpr std::string_view kField = "field.";
constexpr std::string_view kHex = "hex.";
constexpr std::size_t kMaxId = 64;

tl::unexpected<Error> bad() { return fail(Errc::backup_invalid, "a record in it is malformed"); }

bool valid_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxId && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void put_field(VaultDocument& out, const std::string& name, ByteView value) {
  if (valid_utf8(as_text(value))) {
    out.set(std::string(kField) + name, SecretBytes::copy_of(value));
  } else {
    out.set(std::string(kHex) + name, secret_to_hex(SecretBytes::copy_of(value)));
  }
}

// Of a member that is no secret.
std::optional<std::string> text_of(const VaultDocument& document, std::string_view name) {
  const SecretBytes* const value = document.find(name);
  if (value == nullptr) return std::nullopt;
  return std::string(as_text(value->reveal(SecretAccess{})));
}

std::optional<Seconds> time_of(const VaultDocument& document, std::string_view name) {
  const auto text = text_of(document, name);
  return text ? parse_rfc3339(*text) : std::nullopt;
}

Status take_field(SecretFields& out, const VaultDocument& document, const std::string& member) {
  const SecretBytes& value = *document.find(member);
  if (member.starts_with(kField)) return out.set(member.substr(kField.size()), value.reveal(SecretAccess{}));
  if (!member.starts_with(kHex)) return bad();
  const auto raw = secret_from_hex(value, value.size() / 2);
  if (!raw) return bad();
  return out.set(member.substr(kHex.size()), raw->reveal(SecretAccess{}));
}

}  // namespace

std::string record_entry_name(std::string_view id) { return "records/" + std::string(id) + ".json"; }

Result<SecretBytes> record_entry(const RecordInfo& info, const SecretFields& fields) {
  if (!valid_id(info.id)) return fail(Errc::invalid_params, "the id of a record");
  VaultDocument out;
  out.set_text("id", info.id);
  for (const auto& [name, text] :
       {std::pair("kind", info.kind), std::pair("alias", info.alias), std::pair("label", info.label)}) {
    if (!valid_utf8(text)) return fail(Errc::invalid_params, std::string("the ") + name + " of a record");
    out.set_text(name, text);
  }
  out.set_text("created_at", rfc3339(info.created_at));
  if (info.trashed_at) out.set_text("trashed_at", rfc3339(*info.trashed_at));
  for (const std::string& name : fields.names()) put_field(out, name, *fields.find(name, SecretAccess{}));
  SecretBytes text = out.serialise();
  if (text.size() > kMaxRecordEntry) return fail(Errc::invalid_params, "the size of a record");
  return text;
}

// Made again from what was read, it must be the same bytes: so nothing is missing, unknown or written
// otherwise.
Result<BackupRecord> parse_record_entry(std::string_view name, const SecretBytes& text) {
  const auto document = VaultDocument::parse(text);
  if (!document) return bad();
  BackupRecord out;
  out.info.id = text_of(*document, "id").value_or("");
  out.info.kind = text_of(*document, "kind").value_or("");
  out.info.alias = text_of(*document, "alias").value_or("");
  out.info.label = text_of(*document, "label").value_or("");
  out.info.created_at = time_of(*document, "created_at").value_or(0);
  out.info.trashed_at = time_of(*document, "trashed_at");
  for (const std::string& member : document->names())
    if (member.find('.') != std::string::npos && !take_field(out.fields, *document, member)) return bad();
  const auto again = record_entry(out.info, out.fields);
  if (!again || !(*again == text) || record_entry_name(out.info.id) != name) return bad();
  return out;
}

}  // namespace popvault
