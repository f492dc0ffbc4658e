// Opening state.db: what must hold before any of its rows is believed.

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_map>

#include "store/store.hpp"

namespace popvault::store {
namespace {

struct Latest {
  std::int64_t version;
  std::string digest;
};
// "table id" -> what the journal says of it last
using Expected = std::unordered_map<std::string, Latest>;

Result<journal::Row> row_of(const Columns& c) {
  const auto kind = c.integer(2) >= 0 && c.integer(2) <= 0xffff
                        ? journal::kind_of(static_cast<std::uint16_t>(c.integer(2)))
                        : std::nullopt;
  const Bytes hash = c.blob(4);
  journal::Row row{static_cast<std::uint64_t>(c.integer(0)), c.integer(1), {}, c.text(3), {}};
  if (!kind || hash.size() != row.hash.bytes.size())
    return fail(Errc::journal_broken, "row " + std::to_string(row.seq) + " has an unknown kind or no hash");
  row.kind = *kind;
  std::copy(hash.begin(), hash.end(), row.hash.bytes.begin());
  return row;
}

struct Change {
  std::string name;
  Latest latest;
};

// Takes `text` off the front of `rest`.
bool skip(std::string_view& rest, std::string_view text) {
  if (!rest.starts_with(text)) return false;
  rest.remove_prefix(text.size());
  return true;
}

// The characters before the next quote; false when one of them is an escape.
bool plain_string(std::string_view& rest, std::string_view& out) {
  const std::size_t end = rest.find('"');
  if (end == rest.npos) return false;
  out = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return out.find('\\') == out.npos;
}

// The member `changes` as Transaction::put writes it, without making a tree of the whole body: a vault with many
// records is unlocked in half the time. None for any other form, which the JSON reader then looks at. Inside a JSON
// string the name could only stand with escaped quotes, so what is found is the member.
std::optional<std::vector<Change>> plain_changes(std::string_view body) {
  std::vector<Change> out;
  const std::size_t at = body.find("\"changes\":[");
  if (at == body.npos) return out;
  std::string_view rest = body.substr(at + 11);
  while (true) {
    std::string_view digest, id, table;
    std::int64_t version = 0;
    if (!skip(rest, "{\"digest\":\"") || !plain_string(rest, digest) || !skip(rest, ",\"id\":\"") ||
        !plain_string(rest, id) || !skip(rest, ",\"table\":\"") || !plain_string(rest, table) ||
        !skip(rest, ",\"version\":"))
      return std::nullopt;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), version);
    if (error != std::errc{}) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (!skip(rest, "}")) return std::nullopt;
    out.push_back({row_name(table, id), {version, std::string(digest)}});
    if (skip(rest, "]")) return out;
    if (!skip(rest, ",")) return std::nullopt;
  }
}

Result<std::vector<Change>> changes_of(const journal::Row& row) {
  if (auto plain = plain_changes(row.body)) return std::move(*plain);
  const auto body = Json::parse(row.body, {1024 * 1024, 16});
  if (!body) return fail(Errc::journal_broken, "row " + std::to_string(row.seq) + " is not JSON");
  std::vector<Change> out;
  if (const Json::Array* changes = (*body)["changes"].array())
    for (const Json& change : *changes)
      out.push_back({row_name(change["table"].text_or(""), change["id"].text_or("")),
                     {change["version"].int_or(0), change["digest"].text_or("")}});
  return out;
}

// Versions count up by one. The chain has no key, so that anybody can add a row to its end; one that names an older
// version, whose seal is still good, would undo what the owner did since.
Status collect_changes(const journal::Row& row, Expected& expected) {
  // What a backup brought back was put as new rows; those before are history.
  if (row.kind == journal::Kind::vault_restored) expected.clear();
  PV_ASSIGN(auto changes, changes_of(row));
  for (Change& change : changes) {
    Latest& latest = expected.try_emplace(std::move(change.name), Latest{0, {}}).first->second;
    if (change.latest.version != latest.version + 1)
      return fail(Errc::state_rolled_back, "row " + std::to_string(row.seq) + " of the journal goes back to an older version");
    latest = std::move(change.latest);
  }
  return {};
}

constexpr std::string_view kAllRows = "SELECT seq, at, kind, body, hash FROM journal ORDER BY seq";

}  // namespace

Result<std::vector<journal::Row>> Store::journal_rows(std::string_view which, std::initializer_list<Value> values) {
  std::vector<journal::Row> out;
  Status bad;
  PV_TRY(db_.run("SELECT seq, at, kind, body, hash FROM journal WHERE " + std::string(which), values, [&](const Columns& c) {
    auto row = row_of(c);
    if (!row) return bad = tl::unexpected(row.error()), false;
    out.push_back(std::move(*row));
    return true;
  }));
  if (!bad) return tl::unexpected(bad.error());
  return out;
}

Result<std::vector<journal::Row>> Store::journal_after(std::uint64_t seq, std::int64_t limit) {
  return journal_rows("seq>?1 ORDER BY seq LIMIT ?2", {static_cast<std::int64_t>(seq), limit});
}

Result<std::optional<journal::Row>> Store::last_of(journal::Kind kind) {
  PV_ASSIGN(auto rows, journal_rows("kind=?1 ORDER BY seq DESC LIMIT 1", {static_cast<std::int64_t>(kind)}));
  if (rows.empty()) return std::optional<journal::Row>{};
  return std::optional(std::move(rows.front()));
}

Result<std::vector<journal::Row>> Store::journal_of(journal::Kind kind, Seconds since) {
  return journal_rows("kind=?1 AND at>=?2 ORDER BY seq", {static_cast<std::int64_t>(kind), since});
}

Result<std::vector<journal::Row>> Store::journal_matching(const JournalQuery& query) {
  std::string which = "seq>?1 AND at>=?2";
  if (query.kind) which += " AND kind=?3";
  // A body that somebody made unreadable is nobody's.
  if (!query.agent.empty())
    which += " AND json_valid(body) AND (json_extract(body,'$.agent')=?4 OR json_extract(body,'$.subject')=?4"
             " OR json_extract(body,'$.purchase') IN (SELECT id FROM purchases WHERE json_extract(body,'$.agent')=?4))";
  const std::int64_t kind = query.kind ? static_cast<std::int64_t>(*query.kind) : 0;
  return journal_rows(which + " ORDER BY seq LIMIT ?5",
                      {static_cast<std::int64_t>(query.after), query.since, kind, query.agent, query.limit});
}

Result<journal::Audit> Store::verify_chain(const journal::Signer& signer) {
  journal::Auditor verifier(signer);
  Status bad;
  PV_TRY(db_.run(kAllRows, {}, [&](const Columns& c) {
    const auto row = row_of(c);
    bad = row ? verifier.add(*row) : Status(tl::unexpected(row.error()));
    return bad.has_value();
  }));
  if (!bad) return tl::unexpected(bad.error());
  return verifier.finish();
}

// An index that leaves rows out would hide spent money from a query while every row is in its place.
Status Store::check_indexes() {
  std::string answer;
  PV_TRY(db_.run("PRAGMA integrity_check(1)", {}, [&](const Columns& c) { return answer = c.text(0), false; }));
  return answer == "ok" ? Status{} : fail(Errc::state_corrupt, "state.db is not whole");
}

Status Store::verify_against(const journal::Head& mirrored, const journal::Signer& signer,
                             const std::optional<journal::Head>& granted) {
  PV_TRY(verify_rows(mirrored, signer, granted));
  // Not before: nothing is written to a file that is damaged.
  PV_TRY(db_.keep_log(false));
  // Those that money and identity hang on are made anew as well.
  return db_.script("REINDEX agents; REINDEX purchases; REINDEX ledger");
}

Status Store::verify_rows(const journal::Head& mirrored, const journal::Signer& signer,
                          const std::optional<journal::Head>& granted) {
  PV_TRY(check_indexes());
  journal::Auditor verifier(signer);
  Expected expected;
  std::unordered_map<std::string, std::int64_t> versions;
  std::int64_t authority_beyond = 0;
  bool met_mirror = mirrored.seq == 0;
  bool met_granted = !granted;
  const std::uint64_t signed_until = granted ? std::max(granted->seq, mirrored.seq) : mirrored.seq;
  Status bad;
  PV_TRY(db_.run(kAllRows, {}, [&](const Columns& c) {
    const auto row = row_of(c);
    bad = row ? verifier.add(*row) : Status(tl::unexpected(row.error()));
    if (bad) bad = collect_changes(*row, expected);
    if (!bad) return false;
    if (row->seq == mirrored.seq) met_mirror = row->hash == mirrored.hash;
    if (granted && row->seq == granted->seq) met_granted = row->hash == granted->hash;
    if (row->seq > signed_until && journal::changes_authority(row->kind)) ++authority_beyond;
    // A restore is mirrored before anything else is written; here it would only hide that rows are missing.
    if (row->seq > mirrored.seq && row->kind == journal::Kind::vault_restored)
      return bad = fail(Errc::state_rolled_back, "a restore that the vault knows nothing of"), false;
    return true;
  }));
  if (!bad) return bad;
  PV_ASSIGN(const journal::Audit audit, verifier.finish());
  if (audit.head.seq < mirrored.seq)
    return fail(Errc::state_rolled_back, "state.db ends at row " + std::to_string(audit.head.seq) +
                                             ", the vault knows row " + std::to_string(mirrored.seq));
  if (!met_granted) return fail(Errc::state_rolled_back, "state.db has not what was done under a grant");
  if (!met_mirror) return fail(Errc::state_rolled_back, "state.db has another history than the vault");
  if (authority_beyond > 1) return fail(Errc::state_rolled_back, "vault.enc is older than state.db");

  for (const Table table : kTables) {
    const std::string name(to_string(table));
    PV_TRY(db_.run("SELECT id, version, body, mac FROM " + name, {}, [&](const Columns& c) {
      const std::string id = c.text(0), body = c.text(2);
      const std::int64_t version = c.integer(1);
      if (!sealed_well(table, id, version, body, c.blob(3))) return bad = fail(Errc::state_corrupt, "a row of " + name), false;
      const auto at = expected.find(row_name(name, id));
      const bool known = at != expected.end() && at->second.version == version &&
                         at->second.digest == crypto::sha256(as_bytes(body)).hex();
      if (!known) return bad = fail(Errc::state_corrupt, "a row of " + name + " is not the journal's latest"), false;
      versions.insert_or_assign(at->first, version);
      expected.erase(at);
      return true;
    }));
    if (!bad) return bad;
  }
  if (!expected.empty()) {
    const std::string& missing = expected.begin()->first;
    return fail(Errc::state_corrupt, "a row of " + missing.substr(0, missing.find(' ')) + " is missing");
  }
  versions_ = std::move(versions);
  return {};
}

}  // namespace popvault::store
