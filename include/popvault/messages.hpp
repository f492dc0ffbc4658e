// What an agent asks and is told (docs/PROTOCOL.md, "agent.sock"). Times are RFC 3339 texts in UTC, money is
// whole minor units (5000 is 50.00 USD).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "popvault/error.hpp"

namespace popvault::client {

// All that an agent ever sees of a record.
struct MaskedView {
  std::string id;
  std::string kind;
  std::string alias;
  std::string label;
  std::string brand;
  std::string last4;
  std::string masked;  // "****-****-****-4242"
  bool expired = false;
};

struct VaultStatus {
  std::string state;  // "uninitialised", "locked" or "unlocked"
  bool frozen = false;
  std::string version;
};

struct Session {
  std::string agent;
  std::string name;
  std::string home;
  std::string version;
  std::optional<std::string> key_expires_at;  // only in the last ten days of the key
};

struct ListOptions {
  std::optional<std::string> kind;
  std::optional<std::string> cursor;
  std::optional<int> limit;  // 1 to 100
};

struct CredentialPage {
  std::vector<MaskedView> credentials;
  std::optional<std::string> next;  // the cursor of the next page
};

struct PurchaseRequest {
  std::string record;  // an id or an alias
  std::int64_t amount_minor = 0;
  std::string currency;
  std::string merchant_origin;  // exact: scheme, host and port
  std::string reason;           // one line for the owner, at most 200 bytes
  std::optional<std::string> page_url;
  std::string idempotency_key;  // 1 to 64 bytes
};

enum class PurchaseStatus : std::uint8_t {
  denied,
  awaiting_approval,
  approved,
  filling,
  filled,
  settled,
  released,
  canceled,
  expired,
  outcome_unknown,
  other,  // a word of a newer daemon
};
std::string_view to_string(PurchaseStatus status) noexcept;
PurchaseStatus purchase_status(std::string_view word) noexcept;

struct Purchase {
  std::string purchase;
  PurchaseStatus status = PurchaseStatus::other;
  std::optional<std::string> reason;  // the word, when denied
  std::optional<MaskedView> card;
  std::optional<std::string> expires_at;
};

// One open page of the owner's browser: exactly one of the two is set.
struct Page {
  std::string target_id;
  std::string url;
  static Page with_target_id(std::string id) { return {std::move(id), {}}; }
  static Page with_url(std::string url) { return {{}, std::move(url)}; }
};

struct Fill {
  std::string purchase;
  std::string status;  // "filled"
  std::string strength;
  MaskedView card;
  std::vector<FieldOutcome> fields;
};

}  // namespace popvault::client
