#include "daemon/call.hpp"

namespace popvault::daemon {

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

void Reply::ok(Json result) {
  if (!send_) return;
  Json reply;
  reply.set("id", id_);
  reply.set("jsonrpc", "2.0");
  reply.set("result", std::move(result));
  std::exchange(send_, nullptr)(reply.dump());
}

void Reply::error(const Error& error, const Json& more) {
  if (!send_) return;
  std::exchange(send_, nullptr)(error_line(id_, error, more));
}

}  // namespace popvault::daemon
