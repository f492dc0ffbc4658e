// What can go wrong, as a value.
//
// `reason` is one word of the closed list in docs/ERRORS.md; programs decide by it. `message` and
// `remediation` are one line each, for people. Nothing here ever holds a secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace popvault::client {

// What became of one field of a page. `origin` is absent when the field was in no frame the owner listed;
// `why` is empty when `ok`.
struct FieldOutcome {
  std::string field;
  std::optional<std::string> origin;
  bool ok = false;
  std::string why;
};

struct ClientError {
  std::string reason;
  std::string message;
  std::string remediation;
  bool retryable = false;
  std::vector<FieldOutcome> fields;            // of purchase.fill
  std::optional<std::int64_t> retry_after_ms;  // of rate_limited
};

template <class T>
using Answer = tl::expected<T, ClientError>;

}  // namespace popvault::client
