#include "daemon/call.hpp"

namespace popvault::daemon {

Result<SecretBytes> key_in(const Bundle& bundle, std::string_view name) {
  constexpr std::size_t kKeySize = 32;
  const auto key = bundle.find(name, SecretAccess{});
  if (!key || key->size() != kKeySize)
    return fail(Errc::invalid_params, "the bundle must hold " + std::string(name) + " with 32 bytes");
  return SecretBytes::copy_of(*key);
}

Result<SecretBytes> take_key(Call& call, std::string_view name) {
  PV_ASSIGN(const Bundle bundle, Bundle::receive(call.bundle.release()));
  return key_in(bundle, name);
}

std::string error_line(const Json& id, const Error& error, const Json& more) {
  const ErrcInfo& row = info(error.code);
  Json data = more.object() != nullptr ? more : Json(Json::Object{});
  data.set("reason", row.word);
  data.set("remediation", row.todo);
  data.set("retryable", row.retryable);
  Json body;
  body.set("code", row.code);
  body.set("data", std::move(data));
  body.set("message", error.message());
  Json reply;
  reply.set("error", std::move(body));
  reply.set("id", id);
  reply.set("jsonrpc", "2.0");
  return reply.dump();
}

void Reply::ok(Json result, Descriptor passed) {
  if (!send_) return;
  Json reply;
  reply.set("id", id_);
  reply.set("jsonrpc", "2.0");
  reply.set("result", std::move(result));
  std::exchange(send_, nullptr)(reply.dump(), std::move(passed));
}

void Reply::error(const Error& error, const Json& more) {
  if (!send_) return;
  std::exchange(send_, nullptr)(error_line(id_, error, more), {});
}

}  // namespace popvault::daemon
