// owner.sock: agents.

#include <algorithm>

#include "crypto/random.hpp"
#include "daemon/handlers.hpp"
#include "log/log.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr Seconds kKeyLife = 90 * 24 * 3600;

// What is shown on the owner's terminal stays one plain line.
Status check_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  return plain ? Status{} : fail(Errc::invalid_field, "name has letters, digits, '-', '_' and '.' only");
}

}  // namespace

Status agent_add(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("name", 64);
  const std::string hash = in.text("key_sha256", 64);
  const std::string first = in.text("key_first", 12);
  const std::string last = in.text("key_last", 4);
  PV_TRY(in.done());
  PV_TRY(check_name(name));
  if (const auto bytes = from_hex(hash); !bytes || bytes->size() != 32)
    return fail(Errc::invalid_params, "key_sha256 must be 64 hex digits");
  Session& session = app.session;
  PV_ASSIGN(const auto same, gate::agent_named(session, name));
  if (same && same->body["status"].text_or("") == "active") return fail(Errc::already_exists, "an agent of this name");
  store::Row row{"agt_" + crypto::random_token(26), 0, {}};
  const Seconds now = session.clock().now();
  row.body.set("created_at", now);
  row.body.set("expires_at", now + kKeyLife);
  row.body.set("key_first", first);
  row.body.set("key_last", last);
  row.body.set("key_sha256", hash);
  row.body.set("name", name);
  row.body.set("status", "active");
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::agents, row));
  Json body;
  body.set("agent", row.id);
  body.set("name", name);
  PV_TRY(tx.journal(journal::Kind::agent_added, std::move(body)));
  PV_TRY(session.commit(tx));
  Json out;
  out.set("agent", row.id);
  out.set("expires_at", rfc3339(now + kKeyLife));
  out.set("name", name);
  call.reply->ok(std::move(out));
  return {};
}

Status agent_list(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const auto rows, app.session.store().all(store::Table::agents));
  Json::Array items;
  for (const store::Row& row : rows) {
    Json item;
    const bool expired = row.body["expires_at"].int_or(0) <= app.session.clock().now();
    const std::string status = row.body["status"].text_or("");
    item.set("agent", row.id);
    item.set("created_at", rfc3339(row.body["created_at"].int_or(0)));
    item.set("expires_at", rfc3339(row.body["expires_at"].int_or(0)));
    item.set("key", row.body["key_first"].text_or("") + "..." + row.body["key_last"].text_or(""));
    item.set("name", row.body["name"]);
    item.set("status", status == "active" && expired ? "expired" : status);
    items.push_back(std::move(item));
  }
  Json out;
  out.set("agents", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

namespace {
Status seal_revocation(Session& session, store::Row row) {
  // The keys of what it could use are to die too; once, so that epochs are not piled up with revocations, which need no
  // proof.
  PV_ASSIGN(const auto policy, gate::policy_of(session, row.id));
  const bool rotates = policy.has_value() && row.body["status"].text_or("") == "active";
  row.body.set("status", "revoked");
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::agents, row));
  Json body;
  body.set("agent", row.id);
  body.set("rotates", rotates);
  PV_TRY(tx.journal(journal::Kind::agent_revoked, std::move(body)));
  return session.commit(tx);
}
}  // namespace

Status agent_revoke(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("agent", 64);
  PV_TRY(in.done());
  Session& session = app.session;
  std::vector<std::string> ids;
  if (session.state() != State::unlocked) {
    // Which of that name is active cannot be known now: all of them are revoked.
    PV_ASSIGN(ids, session.store().unverified_agents_named(name));
    if (ids.empty()) return fail(Errc::not_found, "agent");
    for (const std::string& id : ids) PV_TRY(session.narrow("revoke", id));
  } else {
    PV_ASSIGN(store::Row row, gate::find_agent(session, name));
    ids.push_back(row.id);
    // What runs is stopped first: it must not matter whether the disk takes the row.
    app.injections.stop_agent(row.id);
    if (!seal_revocation(session, std::move(row))) PV_TRY(session.narrow("revoke", ids.back()));
    if (const Status kept = app.keep_schedule(); !kept) log_warning("rotating after a revocation: " + kept.error().message());
  }
  for (const std::string& id : ids) {
    app.injections.stop_agent(id);
    app.close_agent(id);
  }
  Json out;
  out.set("agent", ids.back());
  out.set("status", "revoked");
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
