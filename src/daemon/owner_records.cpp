// owner.sock: records.

#include "daemon/handlers.hpp"
#include "session/record_changes.hpp"
#include "rpc/params.hpp"
#include "vault/foreign.hpp"

namespace popvault::daemon::owner_methods {
namespace {

std::string trashed_until(const store::Row& record) {
  return rfc3339(record.body["trashed_at"].int_or(0) + kTrashTime);
}

Result<Json> list_trash(Session& session, std::string_view cursor, std::int64_t limit) {
  PV_ASSIGN(const auto rows, session.store().trash(cursor, limit + 1));
  Json::Array items;
  Json next;
  for (const store::Row& row : rows) {
    if (static_cast<std::int64_t>(items.size()) == limit) {
      next = items.back()["id"];
      break;
    }
    PV_ASSIGN(const MaskedView view, view_of(session, row));
    Json item = to_json(view);
    item.set("trashed_until", trashed_until(row));
    items.push_back(std::move(item));
  }
  Json out;
  out.set("next", std::move(next));
  out.set("records", std::move(items));
  return out;
}

}  // namespace

Status record_add(Application& app, Call& call) {
  Params in(call.params);
  const std::string kind = in.text("kind", 16);
  const std::string label = in.text("label", 200);
  PV_TRY(in.done());
  PV_ASSIGN(const Bundle bundle, Bundle::receive(call.bundle.release()));
  PV_ASSIGN(SecretFields fields, bundle.fields());
  PV_ASSIGN(const MaskedView view, add_record(app.session, kind, label, std::move(fields)));
  call.reply->ok(to_json(view));
  return {};
}

Status record_list(Application& app, Call& call) {
  Params in(call.params);
  const std::string kind = in.optional_text("kind", 16).value_or("");
  const std::string cursor = in.optional_text("cursor", 64).value_or("");
  const std::int64_t limit = in.optional_integer("limit", 1, 100, 50);
  const bool trash = in.optional_flag("trash", false);
  PV_TRY(in.done());
  if (trash) {
    PV_ASSIGN(Json out, list_trash(app.session, cursor, limit));
    call.reply->ok(std::move(out));
    return {};
  }
  PV_ASSIGN(Json out, list_records(app.session, "records", kind, cursor, limit, {}));
  call.reply->ok(std::move(out));
  return {};
}

Status record_show(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row row, find_record(app.session, id));
  PV_ASSIGN(const MaskedView view, view_of(app.session, row));
  Json out = to_json(view);
  out.set("created_at", rfc3339(row.body["created_at"].int_or(0)));
  out.set("epoch", row.body["epoch"]);
  out.set("version", row.body["version"]);
  call.reply->ok(std::move(out));
  return {};
}

Status record_export(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const SecretBytes key, take_key(call, "key"));
  PV_ASSIGN(const store::Row row, find_record(app.session, id));
  if (row.body["kind"].text_or("") != "card") return fail(Errc::unsupported, "only cards can be exported");
  PV_ASSIGN(const Bytes blob, read_record_blob(app.session, row));
  Json body;
  body.set("record", row.id);
  PV_ASSIGN(auto tx, app.session.begin());
  PV_TRY(tx.journal(journal::Kind::record_exported, std::move(body)));
  PV_TRY(app.session.commit(tx));
  PV_ASSIGN(const SecretFields fields, open_record(app.session.keys(), place_of(row), blob));
  PV_ASSIGN(const Bytes file, export_foreign(fields, key));
  Json out;
  out.set("file", to_base64(file));
  call.reply->ok(std::move(out));
  return {};
}

Status record_edit(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  const auto label = in.optional_text("label", 200);
  PV_TRY(in.done());
  SecretFields changes;
  if (call.bundle) {
    PV_ASSIGN(const Bundle bundle, Bundle::receive(call.bundle.release()));
    PV_ASSIGN(changes, bundle.fields());
  }
  if (!label && changes.names().empty()) return fail(Errc::invalid_params, "nothing to change");
  PV_ASSIGN(const store::Row row, find_record(app.session, id));
  PV_ASSIGN(const MaskedView view, edit_record(app.session, row, label, changes));
  call.reply->ok(to_json(view));
  return {};
}

Status record_remove(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  const bool now = in.optional_flag("now", false);
  PV_TRY(in.done());
  PV_ASSIGN(store::Row row, find_kept_record(app.session, id));
  if (!now && in_trash(row)) return fail(Errc::already_exists, "the record is in the trash already");
  Json out;
  out.set("id", row.id);
  if (now) {
    PV_TRY(shred_record(app.session, std::move(row)));
    out.set("shredded", true);
  } else {
    PV_TRY(trash_record(app.session, row));
    out.set("trashed_until", rfc3339(app.session.clock().now() + kTrashTime));
  }
  call.reply->ok(std::move(out));
  return {};
}

Status record_restore(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  PV_TRY(in.done());
  PV_ASSIGN(store::Row row, find_kept_record(app.session, id));
  if (!in_trash(row)) return fail(Errc::not_found, "record in the trash");
  PV_ASSIGN(const MaskedView view, untrash_record(app.session, std::move(row)));
  call.reply->ok(to_json(view));
  return {};
}

Status record_reveal(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  PV_TRY(in.done());
  PV_ASSIGN(const store::Row row, find_record(app.session, id));
  PV_ASSIGN(const MaskedView view, view_of(app.session, row));
  PV_ASSIGN(const Revealed revealed, reveal_record(app.session, row));
  PV_ASSIGN(const int bundle, bundle_of(revealed.fields));
  Json::Array names;
  for (const std::string& name : revealed.fields.names()) names.push_back(name);
  Json out;
  out.set("fields", std::move(names));
  out.set("id", row.id);
  out.set("kind", view.kind);
  out.set("label", view.label);
  out.set("left", revealed.left);
  call.reply->ok(std::move(out), Descriptor(bundle));
  return {};
}

}  // namespace popvault::daemon::owner_methods
