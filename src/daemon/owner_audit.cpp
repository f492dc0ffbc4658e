// owner.sock: the journal. Its export to a file is journal_export.cpp.

#include "daemon/handlers.hpp"
#include "rpc/params.hpp"
#include "session/checkpoints.hpp"
#include "session/personal.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr std::size_t kListBytes = 512 * 1024;  // a reply's list ends here; clients take up to 1 MiB

// The id of an agent. While locked the rows cannot be verified; what they say is only looked for.
Result<std::string> agent_id(Session& session, const std::string& id_or_name) {
  if (session.state() == State::unlocked) {
    PV_ASSIGN(const store::Row agent, gate::find_agent(session, id_or_name));
    return agent.id;
  }
  PV_ASSIGN(const auto ids, session.store().unverified_agents_named(id_or_name));
  if (ids.empty()) return fail(Errc::not_found, "agent");
  return ids.back();
}

Result<std::optional<journal::Kind>> kind_named(const std::optional<std::string>& word) {
  if (!word) return std::optional<journal::Kind>{};
  const auto kind = journal::kind_of(*word);
  if (!kind) return fail(Errc::invalid_params, "kind is none that docs/ARCHITECTURE.md lists");
  return kind;
}

Result<store::JournalQuery> parse_query(Session& session, const Json& params) {
  Params in(params);
  store::JournalQuery out;
  out.after = static_cast<std::uint64_t>(in.optional_integer("after", 0, INT64_MAX, 0));
  out.limit = in.optional_integer("limit", 1, 1000, 100);
  out.since = in.optional_integer("since", 0, INT64_MAX, 0);
  const auto agent = in.optional_text("agent", 64);
  const auto kind = in.optional_text("kind", 64);
  PV_TRY(in.done());
  PV_ASSIGN(out.kind, kind_named(kind));
  if (agent) {
    PV_ASSIGN(out.agent, agent_id(session, *agent));
  }
  return out;
}

Json shown_row(const journal::Row& row, PersonalReader& personal, std::uint64_t covered) {
  auto body = Json::parse(row.body, {1024 * 1024, 16});
  Json item;
  item.set("at", rfc3339(row.at));
  item.set("body", body ? personal.shown(std::move(*body)) : Json());
  item.set("covered", row.seq <= covered);
  item.set("hash", row.hash.hex());
  item.set("kind", journal::to_string(row.kind));
  item.set("seq", static_cast<std::int64_t>(row.seq));
  return item;
}

}  // namespace

Status audit_list(Application& app, Call& call) {
  PV_ASSIGN(const store::JournalQuery query, parse_query(app.session, call.params));
  PV_ASSIGN(const auto rows, app.session.store().journal_matching(query));
  const std::uint64_t covered = app.session.store().last_checkpoint().seq;
  PersonalReader personal(app.session);
  Json::Array items;
  std::size_t bytes = 0;
  for (const journal::Row& row : rows) {
    if (bytes > kListBytes) break;
    bytes += row.body.size() + 180;
    items.push_back(shown_row(row, personal, covered));
  }
  Json out;
  out.set("rows", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

Status audit_verify(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  Session& session = app.session;
  PV_ASSIGN(const journal::Audit audit, session.store().verify_chain(journal_signer(session)));
  if (!(audit.head == session.store().head())) return fail(Errc::journal_broken, "the end is not the one we wrote");
  if (session.state() == State::unlocked) PV_TRY(session.verify_mirror());
  Json out;
  out.set("checkpoints", static_cast<std::int64_t>(audit.checkpoints));
  out.set("head", audit.head.hash.hex());
  out.set("ok", true);
  out.set("public_key", audit.last ? Json(audit.last->public_key.hex()) : Json());
  out.set("rows", static_cast<std::int64_t>(audit.head.seq));
  out.set("uncovered", static_cast<std::int64_t>(audit.head.seq - audit.covered()));
  call.reply->ok(std::move(out));
  return {};
}

namespace {
// A name may have been used again after a revocation; nobody is purged by mistake, or left out.
Status check_one_of_name(Session& session, const std::string& name) {
  PV_ASSIGN(const auto agents, session.store().all(store::Table::agents));
  std::string ids;
  std::size_t found = 0;
  for (const store::Row& agent : agents) {
    if (agent.id == name) return {};
    if (agent.body["name"].text_or("") != name) continue;
    ids += (found++ == 0 ? "" : ", ") + agent.id;
  }
  return found < 2 ? Status{} : fail(Errc::invalid_params, "more than one agent has this name; purge each by its id: " + ids);
}
}  // namespace

Status audit_purge(Application& app, Call& call) {
  Params in(call.params);
  const std::string subject = in.text("subject", 64);
  PV_TRY(in.done());
  PV_TRY(app.expire());
  PV_TRY(check_one_of_name(app.session, subject));
  PV_ASSIGN(const store::Row agent, gate::find_agent(app.session, subject));
  PV_ASSIGN(const std::int64_t rows, purge_subject(app.session, agent));
  app.sightings.forget(agent.id);
  Json out;
  out.set("rows", rows);
  out.set("subject", agent.id);
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
