#include "popvault/agent_client.hpp"

#include <algorithm>

#include "client/connection.hpp"
#include "client/decode.hpp"
#include "os/paths.hpp"

namespace popvault::client {
namespace {

constexpr std::chrono::milliseconds kLongestWait{600'000};
// The daemon gives a fill its own, shorter deadline; this one only notices a daemon that hangs.
constexpr std::chrono::milliseconds kFillTimeout{180'000};

Result<Paths> paths_of(const ConnectOptions& options) {
  if (options.home.empty() && options.runtime.empty()) return find_paths();
  Paths out;
  if (options.home.empty()) {
    PV_ASSIGN(out, find_paths());
  } else {
    out.home = options.home;
    out.runtime = options.home + "/run";
  }
  if (!options.runtime.empty()) out.runtime = options.runtime;
  return out;
}

void put(Json& params, std::string_view name, const std::optional<std::string>& value) {
  if (value) params.set(name, *value);
}

Json purchase_params(const std::string& purchase) { return Json::Object{{"purchase", purchase}}; }

}  // namespace

struct AgentClient::State {
  Connection connection;
  Session session;

  template <class T>
  Answer<T> ask(std::string_view method, const Json& params, Answer<T> (*decode)(const Json&),
                std::chrono::milliseconds timeout = kCallTimeout) {
    const Reply reply = connection.call(method, params, {-1, timeout});
    if (!reply) return tl::unexpected(public_error(reply.error()));
    return decode(*reply);
  }
};

AgentClient::AgentClient(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
AgentClient::~AgentClient() = default;
AgentClient::AgentClient(AgentClient&&) noexcept = default;
AgentClient& AgentClient::operator=(AgentClient&&) noexcept = default;
const Session& AgentClient::session() const noexcept { return state_->session; }

Answer<AgentClient> AgentClient::connect(const ConnectOptions& options) {
  const auto paths = paths_of(options);
  if (!paths) return tl::unexpected(public_error(paths.error()));
  auto connection = Connection::open(paths->agent_socket());
  if (!connection) return tl::unexpected(public_error(connection.error()));
  auto state = std::make_unique<State>(State{std::move(*connection), {}});
  const Json params = Json::Object{{"agent_key", options.agent_key}, {"client", options.client_name}};
  auto session = state->ask("session.hello", params, &decode_session);
  if (!session) return tl::unexpected(std::move(session.error()));
  const Status home = check_home(Json(Json::Object{{"home", session->home}}), paths->home);
  if (!home) return tl::unexpected(public_error(home.error()));
  state->session = std::move(*session);
  return AgentClient(std::move(state));
}

Answer<VaultStatus> AgentClient::vault_status() {
  return state_->ask("vault.status", {}, &decode_vault_status);
}

Answer<CredentialPage> AgentClient::list(const ListOptions& options) {
  Json params = Json::Object{};
  put(params, "kind", options.kind);
  put(params, "cursor", options.cursor);
  if (options.limit) params.set("limit", *options.limit);
  return state_->ask("credentials.list", params, &decode_page);
}

Answer<MaskedView> AgentClient::get(const std::string& id_or_alias) {
  const char* name = id_or_alias.starts_with("tok_") ? "alias" : "id";
  const auto decode = +[](const Json& json) { return Answer<MaskedView>(decode_masked_view(json)); };
  return state_->ask("credentials.get", Json::Object{{name, id_or_alias}}, decode);
}

Answer<Purchase> AgentClient::request(const PurchaseRequest& request) {
  Json params = Json::Object{{"record", request.record},     {"amount_minor", request.amount_minor},
                             {"currency", request.currency}, {"merchant_origin", request.merchant_origin},
                             {"reason", request.reason},     {"idempotency_key", request.idempotency_key}};
  put(params, "page_url", request.page_url);
  return state_->ask("purchase.request", params, &decode_purchase);
}

Answer<Purchase> AgentClient::status(const std::string& purchase) {
  return state_->ask("purchase.status", purchase_params(purchase), &decode_purchase);
}

Answer<Purchase> AgentClient::wait(const std::string& purchase, std::chrono::milliseconds limit) {
  limit = std::clamp(limit, std::chrono::milliseconds{0}, kLongestWait);
  Json params = purchase_params(purchase);
  params.set("timeout_ms", static_cast<std::int64_t>(limit.count()));
  return state_->ask("purchase.wait", params, &decode_purchase, limit + kCallTimeout);
}

Answer<Fill> AgentClient::fill(const std::string& purchase, const Page& page) {
  Json place = Json::Object{};
  if (!page.target_id.empty()) place.set("target_id", page.target_id);
  if (!page.url.empty()) place.set("url", page.url);
  Json params = purchase_params(purchase);
  params.set("page", place);
  return state_->ask("purchase.fill", params, &decode_fill, kFillTimeout);
}

Answer<Purchase> AgentClient::cancel(const std::string& purchase) {
  return state_->ask("purchase.cancel", purchase_params(purchase), &decode_purchase);
}

}  // namespace popvault::client
