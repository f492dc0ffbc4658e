#include "client/decode.hpp"

#include <array>

namespace popvault::client {
namespace {

constexpr std::array<std::string_view, 10> kStatusWords = {
    "denied",  "awaiting_approval", "approved", "filling", "filled",
    "settled", "released",          "canceled", "expired", "outcome_unknown"};

std::optional<std::string> optional_text(const Json& json) {
  const std::string* text = json.string();
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

tl::unexpected<ClientError> malformed(std::string_view member) {
  return tl::unexpected(public_error(Error{Errc::internal, "the reply has no " + std::string(member)}));
}

}  // namespace

std::string_view to_string(PurchaseStatus status) noexcept {
  const auto at = static_cast<std::size_t>(status);
  return at < kStatusWords.size() ? kStatusWords[at] : "other";
}

PurchaseStatus purchase_status(std::string_view word) noexcept {
  for (std::size_t i = 0; i < kStatusWords.size(); ++i)
    if (kStatusWords[i] == word) return static_cast<PurchaseStatus>(i);
  return PurchaseStatus::other;
}

ClientError public_error(const Refusal& refusal) {
  const ErrcInfo& row = info(refusal.code);
  ClientError out;
  out.reason = row.word;
  out.message = refusal.message();
  out.remediation = refusal.data["remediation"].text_or(row.todo);
  out.retryable = refusal.data["retryable"].bool_or(row.retryable);
  out.fields = decode_fields(refusal.data["fields"]);
  if (const auto* wait = refusal.data["retry_after_ms"].integer()) out.retry_after_ms = *wait;
  return out;
}

MaskedView decode_masked_view(const Json& json) {
  MaskedView out;
  out.id = json["id"].text_or("");
  out.kind = json["kind"].text_or("");
  out.alias = json["alias"].text_or("");
  out.label = json["label"].text_or("");
  out.brand = json["brand"].text_or("");
  out.last4 = json["last4"].text_or("");
  out.masked = json["masked"].text_or("");
  out.expired = json["expired"].bool_or(false);
  return out;
}

Answer<VaultStatus> decode_vault_status(const Json& json) {
  if (json["state"].string() == nullptr) return malformed("state");
  return VaultStatus{json["state"].text_or(""), json["frozen"].bool_or(true), json["version"].text_or("")};
}

Answer<Session> decode_session(const Json& json) {
  if (json["agent"].string() == nullptr) return malformed("agent");
  return Session{json["agent"].text_or(""), json["name"].text_or(""), json["home"].text_or(""),
                 json["version"].text_or(""), optional_text(json["key_expires_at"])};
}

Answer<CredentialPage> decode_page(const Json& json) {
  const Json::Array* list = json["credentials"].array();
  if (list == nullptr) return malformed("credentials");
  CredentialPage out;
  for (const Json& view : *list) out.credentials.push_back(decode_masked_view(view));
  out.next = optional_text(json["next"]);
  return out;
}

Answer<Purchase> decode_purchase(const Json& json) {
  const std::string* status = json["status"].string();
  if (status == nullptr) return malformed("status");
  Purchase out;
  out.purchase = json["purchase"].text_or("");
  out.status = purchase_status(*status);
  out.reason = optional_text(json["reason"]);
  if (json["card"].object() != nullptr) out.card = decode_masked_view(json["card"]);
  out.expires_at = optional_text(json["expires_at"]);
  return out;
}

Answer<Fill> decode_fill(const Json& json) {
  if (json["status"].text_or("") != "filled") return malformed("status");
  Fill out;
  out.purchase = json["purchase"].text_or("");
  out.status = "filled";
  out.strength = json["strength"].text_or("");
  out.card = decode_masked_view(json["card"]);
  out.fields = decode_fields(json["fields"]);
  return out;
}

std::vector<FieldOutcome> decode_fields(const Json& json) {
  std::vector<FieldOutcome> out;
  const Json::Array* list = json.array();
  if (list == nullptr) return out;
  for (const Json& row : *list)
    out.push_back({row["field"].text_or(""), optional_text(row["origin"]), row["ok"].bool_or(false),
                   row["why"].text_or("")});
  return out;
}

}  // namespace popvault::client
