// owner.sock: the journal.

#include "daemon/handlers.hpp"
#include "session/checkpoints.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr std::size_t kListBytes = 512 * 1024;  // a reply's list ends here; clients take up to 1 MiB

}  // namespace

Status audit_list(Application& app, Call& call) {
  Params in(call.params);
  const std::int64_t after = in.optional_integer("after", 0, INT64_MAX, 0);
  const std::int64_t limit = in.optional_integer("limit", 1, 1000, 100);
  PV_TRY(in.done());
  PV_ASSIGN(const auto rows, app.session.store().journal_after(static_cast<std::uint64_t>(after), limit));
  Json::Array items;
  std::size_t bytes = 0;
  for (const journal::Row& row : rows) {
    if (bytes > kListBytes) break;
    bytes += row.body.size() + 160;
    auto body = Json::parse(row.body, {1024 * 1024, 16});
    Json item;
    item.set("at", rfc3339(row.at));
    item.set("body", body ? std::move(*body) : Json());
    item.set("hash", row.hash.hex());
    item.set("kind", journal::to_string(row.kind));
    item.set("seq", static_cast<std::int64_t>(row.seq));
    items.push_back(std::move(item));
  }
  Json out;
  out.set("rows", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

Status audit_verify(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const journal::Audit audit, app.session.store().verify_chain(journal_signer(app.session)));
  const journal::Head& head = audit.head;
  if (!(head == app.session.store().head())) return fail(Errc::journal_broken, "the end is not the one we wrote");
  if (app.session.state() == State::unlocked) PV_TRY(app.session.verify_mirror());
  Json out;
  out.set("head", head.hash.hex());
  out.set("ok", true);
  out.set("rows", static_cast<std::int64_t>(head.seq));
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
