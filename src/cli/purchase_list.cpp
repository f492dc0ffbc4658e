#include "cli/purchase_list.hpp"

#include <algorithm>

namespace popvault::cli {
namespace {

constexpr int kPage = 100;

}  // namespace

Result<Json> purchases_with(OwnerSession& session, const std::optional<std::string>& status, int limit) {
  Json::Array out;
  Json params = Json::Object{{"limit", std::min(limit, kPage)}};
  if (status) params.set("status", *status);
  while (true) {
    PV_ASSIGN(const Json result, session.call("purchase.list", params));
    if (result["purchases"].array() == nullptr) return fail(Errc::internal, "the reply has no purchases");
    for (const Json& purchase : *result["purchases"].array())
      if (static_cast<int>(out.size()) < limit) out.push_back(purchase);
    if (result["next"].is_null() || static_cast<int>(out.size()) >= limit) return Json(std::move(out));
    params.set("cursor", result["next"]);
  }
}

}  // namespace popvault::cli
