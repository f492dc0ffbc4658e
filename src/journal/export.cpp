#include "journal/export.hpp"

#include <algorithm>

namespace popvault::journal {
namespace {

tl::unexpected<Error> broken(std::string_view what) { return fail(Errc::journal_broken, std::string(what)); }

// Canonical JSON with exactly these members.
Result<Json> object_of(std::string_view line, std::initializer_list<std::string_view> members) {
  auto json = Json::parse(line, {kMaxExportLine, 2});
  if (!json || json->object() == nullptr) return broken("it is not a JSON object");
  bool whole = json->object()->size() == members.size();
  for (const std::string_view name : members) whole = whole && json->find(name) != nullptr;
  if (!whole) return broken("a member is missing or unknown");
  if (json->dump() != line) return broken("it is not canonical JSON");
  return json;
}

bool read_digest(std::string_view hex, crypto::Digest& out) {
  const auto key = public_key_of(hex);  // 64 hex digits too
  if (key) out.bytes = key->bytes;
  return key.has_value();
}

}  // namespace

std::string head_line(const ExportHead& head) {
  Json out;
  out.set("after", static_cast<std::int64_t>(head.from.seq));
  out.set("format", kExportFormat);
  out.set("hash", head.from.hash.hex());
  out.set("public_key", head.public_key.hex());
  out.set("vault", head.vault);
  return out.dump();
}

std::string row_line(const Row& row) {
  Json out;
  out.set("at", row.at);
  out.set("body", row.body);
  out.set("hash", row.hash.hex());
  out.set("kind", static_cast<std::int64_t>(row.kind));
  out.set("seq", static_cast<std::int64_t>(row.seq));
  return out.dump();
}

Result<Row> row_of_line(std::string_view line) {
  PV_ASSIGN(const Json json, object_of(line, {"at", "body", "hash", "kind", "seq"}));
  const std::int64_t number = json["kind"].int_or(-1);
  const auto kind = number >= 0 && number <= 0xffff ? kind_of(static_cast<std::uint16_t>(number)) : std::nullopt;
  const bool formed = json["at"].integer() != nullptr && json["seq"].int_or(-1) > 0 && json["body"].string() != nullptr;
  Row row{static_cast<std::uint64_t>(json["seq"].int_or(0)), json["at"].int_or(0), {}, json["body"].text_or(""), {}};
  if (!kind) return broken("it is of an unknown kind");
  if (!formed || !read_digest(json["hash"].text_or(""), row.hash)) return broken("a member is malformed");
  row.kind = *kind;
  return row;
}

tl::unexpected<Error> ExportReader::at_line(const Error& error) const {
  return fail(error.code, "line " + std::to_string(line_) + ": " + error.detail);
}

Status ExportReader::feed(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (rest_.size() + part.size() > kMaxExportLine) {
      ++line_;
      return at_line({Errc::too_large, "it is over 256 KiB"});
    }
    rest_.append(part);
    if (end == piece.npos) return {};
    piece.remove_prefix(end + 1);
    ++line_;
    const Status taken = take(rest_);
    if (!taken) return at_line(taken.error());
    rest_.clear();
  }
  return {};
}

Status ExportReader::take(std::string_view line) { return line_ == 1 ? take_head(line) : take_row(line); }

Status ExportReader::take_head(std::string_view line) {
  PV_ASSIGN(const Json json, object_of(line, {"after", "format", "hash", "public_key", "vault"}));
  if (json["format"].text_or("") != kExportFormat) return broken("it is no export of a journal");
  const auto key = public_key_of(json["public_key"].text_or(""));
  const std::int64_t after = json["after"].int_or(-1);
  head_.vault = json["vault"].text_or("");
  const bool formed = key && after >= 0 && !head_.vault.empty() && head_.vault.size() <= 64 &&
                      read_digest(json["hash"].text_or(""), head_.from.hash);
  if (!formed) return broken("a member is malformed");
  if (!(*key == key_)) return fail(Errc::checkpoint_invalid, "it is signed by another key than the given one");
  if (after == 0 && !(head_.from.hash == crypto::Digest{})) return broken("a hash before the first row");
  head_.public_key = *key;
  head_.from.seq = static_cast<std::uint64_t>(after);
  auditor_.emplace(Signer{head_.vault, key_}, head_.from);
  return {};
}

Status ExportReader::take_row(std::string_view line) {
  if (++rows_ > kMaxExportRows) return fail(Errc::too_large, "there are too many rows");
  PV_ASSIGN(const Row row, row_of_line(line));
  before_last_ = std::exchange(last_, row.kind);
  return auditor_->add(row);
}

Result<ExportSummary> ExportReader::finish() {
  if (!rest_.empty()) {
    ++line_;
    return at_line({Errc::journal_broken, "it does not end"});
  }
  if (!auditor_) {
    line_ = 1;
    return at_line({Errc::journal_broken, "it is no export of a journal"});
  }
  auto audit = auditor_->finish();
  if (!audit) return at_line(audit.error());
  if (rows_ < 2 || before_last_ != Kind::journal_exported || audit->covered() != audit->head.seq)
    return at_line({Errc::journal_broken, "the end is missing: it must be the checkpoint of an export"});
  return ExportSummary{head_, std::move(*audit), rows_};
}

}  // namespace popvault::journal
