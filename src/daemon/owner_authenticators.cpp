// owner.sock: authenticators.

#include "daemon/handlers.hpp"
#include "rpc/params.hpp"
#include "session/authenticators.hpp"

namespace popvault::daemon::owner_methods {
namespace {

Json to_json(const Authenticator& a) {
  Json out;
  out.set("created_at", a.created_at > 0 ? Json(rfc3339(a.created_at)) : Json());
  out.set("id", a.id);
  out.set("kind", a.kind);
  out.set("label", a.label);
  out.set("public_key", a.key.hex());
  return out;
}

Result<crypto::PublicKey> key_from_hex(const std::string& text) {
  const auto bytes = from_hex(text);
  crypto::PublicKey out;
  if (!bytes || bytes->size() != out.bytes.size()) return fail(Errc::invalid_params, "public_key must be 64 hex digits");
  std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
  return out;
}

}  // namespace

Status authenticator_add(Application& app, Call& call) {
  Params in(call.params);
  const std::string kind = in.text("kind", 16);
  const std::string label = in.text("label", 64);
  const std::string key_text = in.text("public_key", 64);
  PV_TRY(in.done());
  if (kind != "ssh" && kind != "raw") return fail(Errc::invalid_params, "kind is ssh or raw");
  PV_ASSIGN(const crypto::PublicKey key, key_from_hex(key_text));
  PV_ASSIGN(const Authenticator added, add_authenticator(app.session, kind, label, key));
  call.reply->ok(to_json(added));
  return {};
}

Status authenticator_list(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const auto all, authenticators(app.session));
  Json::Array items;
  for (const Authenticator& a : all) items.push_back(to_json(a));
  Json out;
  out.set("authenticators", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

Status authenticator_remove(Application& app, Call& call) {
  Params in(call.params);
  const std::string id = in.text("id", 64);
  PV_TRY(in.done());
  PV_TRY(remove_authenticator(app.session, id));
  Json out;
  out.set("id", id);
  call.reply->ok(std::move(out));
  return {};
}

}  // namespace popvault::daemon::owner_methods
