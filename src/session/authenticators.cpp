#include "session/authenticators.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "crypto/random.hpp"

namespace popvault {
namespace {

constexpr std::size_t kMaxLabel = 64;

Result<crypto::PublicKey> key_of(const store::Row& row) {
  const auto bytes = from_hex(row.body["public_key"].text_or(""));
  crypto::PublicKey out;
  if (!bytes || bytes->size() != out.bytes.size()) return fail(Errc::state_corrupt, "an authenticator's row");
  std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
  return out;
}

Status journal_change(store::Transaction& tx, journal::Kind kind, const store::Row& row) {
  Json body;
  body.set("authenticator", row.id);
  body.set("kind", row.body["kind"]);
  return tx.journal(kind, std::move(body));
}

}  // namespace

Result<std::vector<Authenticator>> authenticators(Session& session) {
  std::vector<Authenticator> out{{std::string(kPassphraseAuthenticator), std::string(kPassphraseAuthenticator), {},
                                  session.own_proof_key(), 0}};
  PV_ASSIGN(const auto rows, session.store().all(store::Table::authenticators));
  for (const store::Row& row : rows) {
    PV_ASSIGN(const crypto::PublicKey key, key_of(row));
    out.push_back({row.id, row.body["kind"].text_or(""), row.body["label"].text_or(""), key,
                   row.body["created_at"].int_or(0)});
  }
  return out;
}

Result<Authenticator> add_authenticator(Session& session, std::string_view kind, std::string_view label,
                                        const crypto::PublicKey& key) {
  if (label.empty() || label.size() > kMaxLabel || !plain_text(label))
    return fail(Errc::invalid_field, "label is one line of at most 64 bytes");
  if (!crypto::valid_public_key(key)) return fail(Errc::invalid_field, "public_key is no Ed25519 key");
  PV_ASSIGN(const auto known, authenticators(session));
  if (std::any_of(known.begin(), known.end(), [&](const Authenticator& a) { return a.key == key; }))
    return fail(Errc::already_exists, "an authenticator with this key");
  if (known.size() > kMostAuthenticators)
    return fail(Errc::limit_exceeded, "at most " + std::to_string(kMostAuthenticators) + " authenticators");
  Authenticator out{"aut_" + crypto::random_token(26), std::string(kind), std::string(label), key, session.clock().now()};
  store::Row row{out.id, 0, {}};
  row.body.set("created_at", out.created_at);
  row.body.set("kind", kind);
  row.body.set("label", label);
  row.body.set("public_key", key.hex());
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::authenticators, row));
  PV_TRY(journal_change(tx, journal::Kind::authenticator_added, row));
  PV_TRY(session.commit(tx, [&](Keyring& keys) { keys.add_owner_key(key); }));
  return out;
}

Status remove_authenticator(Session& session, std::string_view id) {
  if (id == kPassphraseAuthenticator)
    return fail(Errc::unsupported, "the key of the passphrase is always there; popvault passphrase sets another one");
  PV_ASSIGN(auto row, session.store().get(store::Table::authenticators, id));
  if (!row) return fail(Errc::not_found, "authenticator");
  PV_ASSIGN(const crypto::PublicKey key, key_of(*row));
  row->body.set("deleted", true);
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(tx.put(store::Table::authenticators, *row));
  PV_TRY(journal_change(tx, journal::Kind::authenticator_removed, *row));
  return session.commit(tx, [&](Keyring& keys) { keys.remove_owner_key(key); });
}

Status reconcile_authenticators(Session& session) {
  PV_ASSIGN(const auto wanted, authenticators(session));
  const auto& there = session.keys().owner_keys();
  const auto known = [&](const Authenticator& a) { return std::find(there.begin(), there.end(), a.key) != there.end(); };
  if (there.size() == wanted.size() && std::all_of(wanted.begin(), wanted.end(), known)) return {};
  PV_ASSIGN(auto tx, session.begin());
  return session.commit(tx, [&](Keyring& keys) {
    for (const crypto::PublicKey& key : std::vector(keys.owner_keys())) keys.remove_owner_key(key);
    for (const Authenticator& a : wanted) keys.add_owner_key(a.key);
  });
}

}  // namespace popvault
