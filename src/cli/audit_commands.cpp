// audit list, verify, export, purge. An exported file is verified here, without the daemon.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "backup/manifest.hpp"
#include "cli/command.hpp"
#include "base/display.hpp"
#include "cli/masked_text.hpp"
#include "cli/new_file.hpp"
#include "cli/owner_session.hpp"
#include "journal/export.hpp"
#include "os/clock.hpp"

namespace popvault::cli {
namespace {

// "30m", "24h", "7d" ago; "2026-11-22"; "2026-11-22T10:00:00Z".
Result<Seconds> time_of(const std::string& text) {
  const auto wrong = [] { return fail(Errc::usage, "--since is a time such as 24h, 7d, 2026-11-22 or 2026-11-22T10:00:00Z"); };
  if (const auto at = parse_rfc3339(text)) return *at;
  if (const auto day = parse_rfc3339(text + "T00:00:00Z")) return *day;
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  constexpr std::int64_t kMost = 1'000'000;
  if (error != std::errc{} || end + 1 != text.data() + text.size() || number < 0 || number > kMost) return wrong();
  const Seconds unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86'400 : 0;
  if (unit == 0) return wrong();
  return std::max<Seconds>(0, system_clock().now() - number * unit);
}

std::string number_of(const Json& value) { return std::to_string(value.int_or(0)); }

std::string row_text(const Json& row) {
  return number_of(row["seq"]) + "  " + escape_for_terminal(row["at"].text_or("?")) + "  " +
         escape_for_terminal(row["kind"].text_or("?")) + "  " + escape_for_terminal(row["body"].dump()) +
         (row["covered"].bool_or(true) ? "" : "  (no checkpoint yet)") + "\n";
}

Result<Descriptor> open_export(const std::string& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return fail(Errc::not_found, escape_for_terminal(path));
  if (!file) return fail_errno(errno, "opening " + escape_for_terminal(path));
  struct stat st {};
  if (fstat(file.get(), &st) != 0) return fail_errno(errno, "looking at " + escape_for_terminal(path));
  if (!S_ISREG(st.st_mode)) return fail(Errc::journal_broken, "it is no regular file");
  return file;
}

Result<journal::ExportSummary> read_export(const std::string& path, const crypto::PublicKey& key) {
  PV_ASSIGN(const Descriptor file, open_export(path));
  journal::ExportReader reader(key);
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t n = read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "reading " + escape_for_terminal(path));
    if (n == 0) return reader.finish();
    PV_TRY(reader.feed({buffer.data(), static_cast<std::size_t>(n)}));
  }
}

Result<Output> verify_export(const AuditOptions& given) {
  if (!given.public_key)
    return fail(Errc::usage, "--file needs --public-key: the line that popvault audit verify shows while the vault is unlocked");
  const auto key = journal::public_key_of(*given.public_key);
  if (!key) return fail(Errc::usage, "--public-key is 64 hex digits in lower case");
  PV_ASSIGN(const journal::ExportSummary found, read_export(*given.file, *key));
  const std::string at = rfc3339(found.audit.last->at);
  Json out = Json::Object{{"after", static_cast<std::int64_t>(found.head.from.seq)},
                          {"at", at},
                          {"checkpoints", static_cast<std::int64_t>(found.audit.checkpoints)},
                          {"head", found.audit.head.hash.hex()},
                          {"ok", true},
                          {"public_key", key->hex()},
                          {"rows", static_cast<std::int64_t>(found.rows)},
                          {"uncovered", 0},
                          {"vault", found.head.vault}};
  const std::uint64_t last = found.audit.head.seq;
  std::string text = "the export is whole: rows " + std::to_string(found.head.from.seq + 1) + " to " + std::to_string(last) +
                     " of vault " + escape_for_terminal(found.head.vault) + ", signed " + at +
                     "\nA vault that is used goes on: compare that number and time with the newest export you know.\n";
  return Output{std::move(out), std::move(text)};
}

}  // namespace

Result<Output> list_journal(const Context& context) {
  const AuditOptions& given = context.args.audit;
  Json params = Json::Object{{"limit", given.limit}};
  if (given.after) params.set("after", *given.after);
  if (given.agent) params.set("agent", *given.agent);
  if (given.kind) params.set("kind", *given.kind);
  if (given.since) {
    PV_ASSIGN(const Seconds since, time_of(*given.since));
    params.set("since", since);
  }
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result, session.call("audit.list", params));
  Output out{result["rows"], {}};
  if (const auto* rows = result["rows"].array())
    for (const Json& row : *rows) out.text += row_text(row);
  return out;
}

Result<Output> verify_journal(const Context& context) {
  const AuditOptions& given = context.args.audit;
  if (given.file) return verify_export(given);
  if (given.public_key) return fail(Errc::usage, "--public-key goes with --file");
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(const Json result, session.call("audit.verify"));
  std::string text = "the journal is whole\n";
  for (const char* name : {"rows", "head", "checkpoints", "uncovered", "public_key"}) text += plain_line(name, result[name]);
  if (session.state() != "unlocked")
    text += "The vault is locked: the checkpoints agree with each other. Unlock it to hold them against its own key.\n";
  return Output{result, std::move(text)};
}

Result<Output> export_journal(const Context& context) {
  const AuditOptions& given = context.args.audit;
  PV_TRY(check_free(*given.file));
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Signer signer, ask_signer(context, session, "export the journal"));
  PV_ASSIGN(NewFile file, NewFile::create(*given.file));
  Json params = Json::Object{};
  if (given.after) params.set("after", *given.after);
  PV_ASSIGN(const Json result,
            session.call_with_proof("audit.export", std::move(params), signer, nullptr, nullptr, file.descriptor()));
  PV_TRY(file.keep());
  Json out = result;
  out.set("file", *given.file);
  const std::string shown = escape_for_terminal(*given.file);
  return Output{std::move(out), number_of(result["rows"]) + " rows written to " + shown + "\npublic key: " +
                                    escape_for_terminal(result["public_key"].text_or("?")) +
                                    "\nAnybody who has that key from you can check the file: popvault audit verify --file FILE "
                                    "--public-key HEX\n"};
}

Result<Output> purge_subject(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json result, call_proved(context, session, "audit.purge", Json::Object{{"subject", context.args.audit.subject}},
                                           "destroy what the journal tells of this agent"));
  return Output{result, "what is personal in the journal about " + escape_for_terminal(result["subject"].text_or("?")) +
                            " cannot be read any more, and " + number_of(result["rows"]) +
                            " purchases hold it no more\nBackups and exports made before keep what they hold (docs/JOURNAL_FORMAT.md).\n"};
}

}  // namespace popvault::cli
