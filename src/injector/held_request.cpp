#include "injector/held_request.hpp"

#include <algorithm>

namespace popvault::injector {
namespace {

constexpr std::size_t kMostLoaders = 4096;

Json object(std::initializer_list<Json::Object::value_type> members) { return Json::Object(members); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// The entries one after the other. One without bytes is a file or a blob.
void read_body(const Json& request, Held& out) {
  const Json::Array* const entries = request["postDataEntries"].array();
  if (!request["hasPostData"].bool_or(false) && request["postData"].is_null() && entries == nullptr) {
    out.body_whole = true;
    return;
  }
  if (entries == nullptr) return;
  out.body_whole = !entries->empty();
  for (const Json& entry : *entries) {
    const std::string* const text = entry["bytes"].string();
    const auto bytes = text != nullptr ? from_base64(*text) : std::nullopt;
    if (bytes) out.body.append(as_text(*bytes));
    out.body_whole = out.body_whole && bytes;
  }
}

}  // namespace

std::string_view Held::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (lower(key) == name) return value;
  return {};
}

wire::Request Held::request(wire::Relation relation, std::string_view frame_url) const {
  wire::Request out;
  out.method = method;
  out.url = url;
  for (const auto& [name, value] : headers) out.headers.emplace_back(name, value);
  out.body = body;
  out.body_whole = body_whole;
  out.relation = relation;
  out.frame_url = frame_url;
  return out;
}

Held read_held(const Cdp::Event& event) {
  const Json& params = event.params;
  const Json& request = params["request"];
  Held out;
  out.session = event.session;
  out.id = params["requestId"].text_or("");
  out.network_id = params["networkId"].text_or("");
  out.frame = params["frameId"].text_or("");
  out.navigation = params["resourceType"].text_or("") == "Document";
  out.method = request["method"].text_or("");
  out.url = request["url"].text_or("") + request["urlFragment"].text_or("");
  if (const Json::Object* headers = request["headers"].object())
    for (const auto& [name, value] : *headers) out.headers.emplace_back(name, value.text_or(""));
  read_body(request, out);
  out.broken = !params["responseErrorReason"].is_null();
  if (!out.broken && params["responseStatusCode"].integer() != nullptr)
    out.status = static_cast<int>(params["responseStatusCode"].int_or(0));
  if (const Json::Array* headers = params["responseHeaders"].array())
    for (const Json& header : *headers)
      out.answer_headers.emplace_back(header["name"].text_or(""), header["value"].text_or(""));
  return out;
}

Cdp::Id HeldRequests::enable_in(const std::string& session) {
  Json::Array patterns;
  for (const std::string& url : patterns_) patterns.push_back(object({{"urlPattern", url}, {"requestStage", "Request"}}));
  cdp_.send("Network.enable", object({{"maxTotalBufferSize", 0}, {"maxResourceBufferSize", 0}, {"maxPostDataSize", 0}}),
            session);
  return cdp_.send("Fetch.enable", object({{"patterns", std::move(patterns)}}), session);
}

Step<void> HeldRequests::enable(std::vector<std::string> url_patterns, const std::vector<std::string>& sessions) {
  patterns_ = std::move(url_patterns);
  std::vector<Cdp::Id> asked;
  for (const std::string& session : sessions) asked.push_back(enable_in(session));
  for (const Cdp::Id id : asked) {
    PV_ASSIGN(const Cdp::Reply reply, cdp_.wait(id));
    if (!reply.ok) return stop(Outcome::failed);
  }
  return {};
}

void HeldRequests::on_event(const Cdp::Event& event) {
  const Json& params = event.params;
  if (event.method == "Fetch.requestPaused") {
    Held held = read_held(event);
    if (passes_(held)) {
      cdp_.send("Fetch.continueRequest", object({{"requestId", held.id}}), held.session);
    } else {
      held_.push_back(std::move(held));
    }
  } else if (event.method == "Network.requestWillBeSent") {
    if (loaders_.size() < kMostLoaders) loaders_[params["requestId"].text_or("")] = params["loaderId"].text_or("");
  } else if (event.method == "Network.loadingFailed") {
    ended_.insert(params["requestId"].text_or(""));
  } else if (event.method == "Target.attachedToTarget" && !patterns_.empty() &&
             params["targetInfo"]["type"].text_or("") == "iframe") {
    enable_in(params["sessionId"].text_or(""));
  }
}

std::optional<Held> HeldRequests::take() {
  if (held_.empty()) return std::nullopt;
  Held out = std::move(held_.front());
  held_.pop_front();
  return out;
}

// A refusal is of no matter: the request is gone then.
Step<void> HeldRequests::command(std::string_view method, Json params, const Held& held) {
  params.set("requestId", held.id);
  PV_TRY(cdp_.wait(cdp_.send(method, std::move(params), held.session)));
  return {};
}

Step<void> HeldRequests::pass(const Held& held) { return command("Fetch.continueRequest", {}, held); }

Step<void> HeldRequests::fail(const Held& held) {
  return command("Fetch.failRequest", object({{"errorReason", "Aborted"}}), held);
}

Step<void> HeldRequests::replace_answer(const Held& held) {
  return command("Fetch.fulfillRequest",
                 object({{"responseCode", 502},
                         {"responseHeaders", Json::Array{object({{"name", "Content-Type"}, {"value", "application/json"}})}},
                         {"body", to_base64(as_bytes("{\"error\":\"popvault: the answer held card data\"}"))}}),
                 held);
}

Step<std::optional<Bytes>> HeldRequests::body(const Held& held) {
  PV_ASSIGN(const Cdp::Reply reply,
            cdp_.wait(cdp_.send("Fetch.getResponseBody", object({{"requestId", held.id}}), held.session)));
  if (!reply.ok) return std::nullopt;
  const std::string text = reply.result["body"].text_or("");
  if (reply.result["base64Encoded"].bool_or(false)) return from_base64(text);
  return Bytes(text.begin(), text.end());
}

std::optional<std::string> HeldRequests::loader_of(const std::string& network_id) const {
  const auto found = loaders_.find(network_id);
  return found == loaders_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace popvault::injector
