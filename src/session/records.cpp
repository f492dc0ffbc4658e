#include "session/records.hpp"

#include "crypto/digest.hpp"
#include "crypto/random.hpp"
#include "vault/record_kinds.hpp"

namespace popvault {

Result<SealedRecord> seal_into_row(Session& session, store::Row& row, const std::string& label,
                                   const SecretFields& fields) {
  BlobPlace place = place_of(row);
  place.epoch = session.keys().current_epoch();
  ++place.version;
  SealedRecord out{place, new_blob_id()};
  PV_ASSIGN(const SecretFields view, place.kind == "card" ? view_of_card(label, fields) : view_of_other(label));
  PV_ASSIGN(const Bytes blob, seal_record(session.keys(), place, fields));
  PV_ASSIGN(const Bytes sealed_view, seal_view(session.view_key(), row.id, place.version, view));
  row.body.set("blob", out.blob);
  row.body.set("epoch", static_cast<std::int64_t>(place.epoch));
  if (place.kind == "card") {
    row.body.set("has_cvv", fields.has("cvv"));
    row.body.set("has_holder", fields.has("holder"));
  }
  // What can be filled with it; names alone.
  if (place.kind == "identity" || place.kind == "login") {
    Json::Array names;
    for (std::string& name : fields.names()) names.emplace_back(std::move(name));
    row.body.set("fields", std::move(names));
  }
  row.body.set("sha256", crypto::sha256(blob).hex());
  row.body.set("version", static_cast<std::int64_t>(place.version));
  row.body.set("view", to_hex(sealed_view));
  PV_TRY(write_blob(session.fs(), session.home(), place.kind, place.epoch, out.blob, blob));
  return out;
}

Result<MaskedView> add_record(Session& session, const std::string& kind, const std::string& label,
                              SecretFields fields) {
  PV_TRY(normalise_record(kind, fields));
  PV_ASSIGN(const std::string clean_label, checked_label(label));
  store::Row row{std::string(id_prefix_of(kind)) + crypto::random_token(26), 0, {}};
  row.body.set("alias", new_alias(kind));
  row.body.set("created_at", session.clock().now());
  row.body.set("kind", kind);
  PV_ASSIGN(const SealedRecord sealed, seal_into_row(session, row, clean_label, fields));
  const auto stored = [&]() -> Status {
    PV_ASSIGN(auto tx, session.begin());
    PV_TRY(tx.put(store::Table::records, row));
    Json body;
    body.set("kind", kind);
    body.set("record", row.id);
    PV_TRY(tx.journal(journal::Kind::record_added, std::move(body)));
    return session.commit(tx);
  }();
  if (!stored) {
    // Unless only vault.enc is behind: then the row stands and needs its blob.
    const auto there = session.store().exists(store::Table::records, row.id);
    if (there && !*there && surely_undone(stored.error()))
      (void)remove_blob(session.fs(), session.home(), sealed.place.kind, sealed.place.epoch, sealed.blob);
    return tl::unexpected(stored.error());
  }
  return view_of(session, row);
}

Result<store::Row> find_kept_record(Session& session, std::string_view id_or_alias) {
  PV_ASSIGN(auto row, session.store().get(store::Table::records, id_or_alias));
  if (row) return std::move(*row);
  PV_ASSIGN(row, session.store().record_with_alias(id_or_alias));
  if (!row) return fail(Errc::not_found, "record");
  return std::move(*row);
}

bool in_trash(const store::Row& record) { return !record.body["trashed_at"].is_null(); }

Result<store::Row> find_record(Session& session, std::string_view id_or_alias) {
  PV_ASSIGN(store::Row row, find_kept_record(session, id_or_alias));
  if (in_trash(row)) return fail(Errc::not_found, "record; it is in the trash");
  return row;
}

Result<MaskedView> view_of(Session& session, const store::Row& record) {
  const auto sealed = from_hex(record.body["view"].text_or("x"));
  if (!sealed) return fail(Errc::state_corrupt, "a record's view");
  return open_view(session.view_key(), record.id, record.body["kind"].text_or(""), record.body["alias"].text_or(""),
                   static_cast<std::uint64_t>(record.body["version"].int_or(0)), *sealed, session.clock().now());
}

Json to_json(const MaskedView& view) {
  Json out;
  out.set("alias", view.alias.empty() ? Json() : Json(view.alias));
  out.set("brand", view.brand);
  out.set("expired", view.expired);
  out.set("id", view.id.empty() ? Json() : Json(view.id));
  out.set("kind", view.kind);
  out.set("label", view.label);
  out.set("last4", view.last4);
  out.set("masked", view.masked);
  return out;
}

Result<Json> list_records(Session& session, std::string_view member, std::string_view kind, std::string_view cursor,
                          std::int64_t limit, const std::function<bool(const store::Row&)>& wanted) {
  Json::Array items;
  Json next;
  PV_ASSIGN(const auto rows, session.store().records_after(cursor, kind, limit + 1, wanted));
  for (const store::Row& row : rows) {
    if (static_cast<std::int64_t>(items.size()) == limit) {
      next = items.back()["id"];
      break;
    }
    PV_ASSIGN(const MaskedView view, view_of(session, row));
    items.push_back(to_json(view));
  }
  Json out;
  out.set(member, std::move(items));
  out.set("next", std::move(next));
  return out;
}

BlobPlace place_of(const store::Row& record) {
  return {static_cast<std::uint32_t>(record.body["epoch"].int_or(0)), record.id, record.body["kind"].text_or(""),
          static_cast<std::uint64_t>(record.body["version"].int_or(0))};
}

Result<Bytes> read_record_blob(Session& session, const store::Row& record) {
  const BlobPlace place = place_of(record);
  PV_ASSIGN(Bytes blob,
            read_blob(session.fs(), session.home(), place.kind, place.epoch, record.body["blob"].text_or("")));
  if (crypto::sha256(blob).hex() != record.body["sha256"].text_or(""))
    return fail(Errc::state_corrupt, "a blob is not the one its record names");
  return blob;
}

}  // namespace popvault
