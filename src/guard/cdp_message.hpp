// The top level of one DevTools message, without parsing what is inside: a screenshot passes as a span of its text.
//
// Strict where decisions are made: one object, known members only, each at most once, names and methods without escapes.
// The spans of params, result and error are balanced and their strings closed, and no more is promised of them: whoever
// decides by their content parses them (rpc/json.hpp). Spans point into the text that was scanned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace popvault::guard {

struct CdpMessage {
  std::optional<std::int64_t> id;  // from 0 to 2^53
  std::string_view method;         // letters, digits, '.', '_'; empty when there is none
  std::string_view session;        // sessionId; letters, digits, '-'
  std::string_view params, result, error;  // JSON text; empty when absent

  static std::optional<CdpMessage> scan(std::string_view text) noexcept;
};

// {"id":…,"method":…,"params":…,"sessionId":…}; empty parts are left out.
std::string command_text(std::int64_t id, std::string_view method, std::string_view params, std::string_view session);
std::string event_text(std::string_view method, std::string_view params, std::string_view session);
std::string result_text(std::int64_t id, std::string_view result, std::string_view session);
std::string error_text(std::int64_t id, int code, std::string_view message, std::string_view session);
// An answer of the browser under another id: result or error as they are.
std::string answer_text(std::int64_t id, const CdpMessage& answer, std::string_view session);

}  // namespace popvault::guard
