#include "session/personal.hpp"

#include <algorithm>

#include "crypto/aead.hpp"

namespace popvault {
namespace {

constexpr Seconds kPeriod = 7 * 24 * 3600;
constexpr Seconds kDay = 24 * 3600;
constexpr std::int64_t kFarthest = 520;  // periods ahead of the clock that are looked for: it may have been set back
// Of a purchase. The hash of the request can be tried against guesses, so it goes too; and the salt, without which the
// journal's digest of the older row could.
constexpr std::string_view kOfPurchases[] = {"executable", "idempotency_key", "item", "merchant",
                                            "page_url", "request_hash", "salt", "text"};
constexpr std::string_view kOpen[] = {"awaiting_approval", "approved", "armed", "filling", "outcome_unknown"};

// "PVPP1" || u16 size || vault id || u16 size || agent id || u32 period
Bytes associated(Session& session, std::string_view agent, std::uint32_t period) {
  ByteWriter out;
  out.raw(as_bytes("PVPP1")).text(session.vault_id()).text(agent).u32(period);
  return out.bytes();
}

bool is_over(const store::Row& purchase) {
  const std::string status = purchase.body["status"].text_or("");
  return std::find(std::begin(kOpen), std::end(kOpen), status) == std::end(kOpen);
}

bool holds_personal(const store::Row& purchase) {
  return std::any_of(std::begin(kOfPurchases), std::end(kOfPurchases),
                     [&](std::string_view name) { return !purchase.body[name].is_null(); });
}

Status blank(store::Transaction& tx, store::Row purchase) {
  for (const std::string_view name : kOfPurchases)
    if (purchase.body.find(name) != nullptr) purchase.body.set(name, nullptr);
  purchase.body.set("purged", true);
  // What the policy denied cannot be forced any more: nobody knows what it was.
  if (purchase.body["status"].text_or("") == "denied") purchase.body.set("denied_by_owner", true);
  return tx.put(store::Table::purchases, purchase);
}

using KeyChange = std::function<void(Keyring&)>;

// One commit: these purchases without what is personal, and the keys.
Status forget(Session& session, const std::vector<store::Row>& purchases, Json body, const KeyChange& change) {
  PV_ASSIGN(auto tx, session.begin());
  for (const store::Row& purchase : purchases) PV_TRY(blank(tx, purchase));
  body.set("purchases", static_cast<std::int64_t>(purchases.size()));
  PV_TRY(tx.journal(journal::Kind::subject_purged, std::move(body)));
  return session.commit(tx, change);
}

Status drop_log(Session& session) {
  const Status dropped = session.store().drop_log();
  return dropped ? dropped : fail(dropped.error().code, "it is done, but state.db-wal still holds what was there: " + dropped.error().detail);
}

}  // namespace

std::uint32_t personal_period(Seconds at) noexcept {
  return at <= 0 ? 0 : static_cast<std::uint32_t>(std::min<Seconds>(at / kPeriod, UINT32_MAX));
}

Json sealed_personal(Session& session, std::string_view agent, const Json& fields) {
  if (session.state() != State::unlocked || fields.object() == nullptr) return {};
  // Behind a clock that was set back, or a longer retention, there is no key.
  const std::uint32_t period =
      std::max(personal_period(session.clock().now()), session.keys().subject_since(agent));
  const auto key = session.keys().subject_key(agent, period);
  const auto sealed = key ? crypto::seal(*key, as_bytes(fields.dump()), associated(session, agent, period))
                          : Result<Bytes>(fail(Errc::not_found));
  if (!sealed) return {};
  Json out;
  out.set("period", static_cast<std::int64_t>(period));
  out.set("sealed", to_hex(*sealed));
  out.set("subject", agent);
  return out;
}

void set_personal(Session& session, Json& body, std::string_view agent, const Json& fields) {
  if (Json personal = sealed_personal(session, agent, fields); !personal.is_null()) body.set(kPersonal, std::move(personal));
}

const SecretBytes* PersonalReader::key_for(const std::string& agent, std::int64_t period) {
  if (period < 0 || period > personal_period(session_->clock().now()) + kFarthest) return nullptr;
  const auto [at, added] = keys_.try_emplace({agent, period});
  if (added) at->second = session_->keys().subject_key(agent, static_cast<std::uint32_t>(period));
  return at->second ? &*at->second : nullptr;
}

Json PersonalReader::shown(Json body) {
  const Json personal = body[kPersonal];
  if (personal.object() == nullptr) return body;
  if (session_->state() != State::unlocked) return body.set(kPersonal, "locked"), body;
  const std::string agent = personal["subject"].text_or("");
  const std::int64_t period = personal["period"].int_or(-1);
  const auto sealed = from_hex(personal["sealed"].text_or("x"));
  const SecretBytes* const key = sealed ? key_for(agent, period) : nullptr;
  const auto opened = key != nullptr ? crypto::open(*key, *sealed, associated(*session_, agent, static_cast<std::uint32_t>(period)))
                                     : Result<SecretBytes>(fail(Errc::not_found));
  const auto fields = opened ? Json::parse(as_text(opened->reveal(SecretAccess{}))) : Result<Json>(tl::unexpected(opened.error()));
  if (!fields || fields->object() == nullptr) return body.set(kPersonal, "purged"), body;
  body.erase(kPersonal);
  for (const auto& [name, value] : *fields->object()) body.set(name, value);
  return body;
}

Status begin_subjects(Session& session) {
  PV_ASSIGN(const auto agents, session.store().all(store::Table::agents));
  for (const store::Row& agent : agents)
    if (agent.body["status"].text_or("") != "revoked" && !session.keys().has_subject(agent.id)) session.begin_subject(agent.id);
  return {};
}

Result<std::int64_t> purge_subject(Session& session, const store::Row& agent) {
  PV_ASSIGN(const auto purchases, session.store().purchases_where(INT64_MAX, INT64_MAX, [&](const store::Row& row) {
    return row.body["agent"].text_or("") == agent.id && (!is_over(row) || holds_personal(row));
  }));
  const auto open = std::find_if_not(purchases.begin(), purchases.end(), is_over);
  if (open != purchases.end()) return fail(Errc::wrong_status, open->id + " is not over: deny, settle or release it first");
  const bool goes_on = agent.body["status"].text_or("") != "revoked";
  const std::uint32_t period = personal_period(session.clock().now());
  const auto change = [&](Keyring& keys) {
    keys.drop_subject(agent.id);
    if (goes_on) keys.begin_subject(agent.id, period);
  };
  // The keys go with the first of them; one commit each, because only one change may stand beyond the mirror.
  std::size_t done = 0;
  do {
    const std::size_t end = std::min(purchases.size(), done + static_cast<std::size_t>(kMostForgotten));
    Json body;
    body.set("subject", agent.id);
    body.set("why", "purge");
    PV_TRY(forget(session, {purchases.begin() + static_cast<std::ptrdiff_t>(done), purchases.begin() + static_cast<std::ptrdiff_t>(end)},
                  std::move(body), done == 0 ? KeyChange(change) : KeyChange{}));
    done = end;
  } while (done < purchases.size());
  PV_TRY(drop_log(session));
  return static_cast<std::int64_t>(done);
}

Status keep_retention(Session& session) {
  if (session.state() != State::unlocked) return {};
  PV_ASSIGN(const auto setting, session.store().get(store::Table::settings, kRetentionRow));
  const std::int64_t days = setting ? setting->body["value"].int_or(0) : 0;
  if (days < kLeastRetentionDays) return {};
  const Seconds before = session.clock().now() - days * kDay;
  const std::uint32_t period = personal_period(before);  // its last second may be younger: it stays
  PV_ASSIGN(const auto purchases, session.store().purchases_where(before, kMostForgotten, [](const store::Row& row) {
    return is_over(row) && holds_personal(row);
  }));
  Keyring later = session.keys().clone();
  if (!later.forget_before(period) && purchases.empty()) return {};
  Json body;
  body.set("before", before);
  body.set("why", "retention");
  PV_TRY(forget(session, purchases, std::move(body), [&](Keyring& keys) { keys.forget_before(period); }));
  return drop_log(session);
}

}  // namespace popvault
