#include "guard/cdp_message.hpp"

#include <cstring>

#include "rpc/json.hpp"

namespace popvault::guard {
namespace {

constexpr std::int64_t kMaxId = std::int64_t{1} << 53;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_plain(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  void space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool take(char c) {
    space();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool done() {
    space();
    return at_ == end_;
  }

  // A string of plain characters only: its content.
  std::optional<std::string_view> plain() {
    if (!take('"')) return {};
    const char* const from = at_;
    while (at_ < end_ && is_plain(*at_)) ++at_;
    if (at_ == end_ || *at_ != '"') return {};
    return std::string_view(from, static_cast<std::size_t>(at_++ - from));
  }

  std::optional<std::int64_t> id() {
    space();
    std::int64_t out = 0;
    const char* const from = at_;
    while (at_ < end_ && is_digit(*at_)) {
      out = out * 10 + (*at_++ - '0');
      if (out > kMaxId) return {};
    }
    if (at_ == from || (*from == '0' && at_ - from > 1)) return {};
    return out;
  }

  // Any value, whole.
  std::optional<std::string_view> value() {
    space();
    const char* const from = at_;
    if (at_ == end_) return {};
    const bool ok = *at_ == '"' ? string() : (*at_ == '{' || *at_ == '[') ? nested() : word();
    if (!ok) return {};
    return std::string_view(from, static_cast<std::size_t>(at_ - from));
  }

 private:
  bool string() {
    ++at_;
    while (at_ < end_) {
      const auto* const quote = static_cast<const char*>(std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_)));
      if (quote == nullptr) return false;
      // An even number of backslashes before it, and the string is over. Looked for backwards: each is seen once.
      const char* back = quote;
      while (back > at_ && back[-1] == '\\') --back;
      at_ = quote + 1;
      if ((quote - back) % 2 == 0) return true;
    }
    return false;
  }
  bool nested() {
    std::string open;
    while (at_ < end_) {
      const char c = *at_;
      if (c == '"') {
        if (!string()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') {
        if (open.size() == kMaxDepth) return false;
        open.push_back(c == '{' ? '}' : ']');
      } else if (c == '}' || c == ']') {
        if (open.back() != c) return false;
        open.pop_back();
        if (open.empty()) return true;
      }
    }
    return false;
  }
  bool word() {
    const char* const from = at_;
    while (at_ < end_ && (is_plain(*at_) || *at_ == '+')) ++at_;
    return at_ != from;
  }

  static constexpr std::size_t kMaxDepth = 1000;
  const char* at_;
  const char* end_;
};

}  // namespace

std::optional<CdpMessage> CdpMessage::scan(std::string_view text) noexcept try {
  Scanner in(text);
  CdpMessage out;
  if (!in.take('{')) return {};
  const auto once = [](std::string_view& slot, std::optional<std::string_view> value) {
    if (!value || value->empty() || !slot.empty()) return false;
    slot = *value;
    return true;
  };
  do {
    const auto name = in.plain();
    if (!name || !in.take(':')) return {};
    bool ok = false;
    if (*name == "id") {
      ok = !out.id;
      out.id = in.id();
      ok = ok && out.id.has_value();
    } else if (*name == "method") {
      ok = once(out.method, in.plain());
    } else if (*name == "sessionId") {
      ok = once(out.session, in.plain());
    } else if (*name == "params") {
      ok = once(out.params, in.value());
    } else if (*name == "result") {
      ok = once(out.result, in.value());
    } else if (*name == "error") {
      ok = once(out.error, in.value());
    }
    if (!ok) return {};
  } while (in.take(','));
  if (!in.take('}') || !in.done()) return {};
  return out;
} catch (...) {
  return {};
}

namespace {

void begin_id(std::string& out, std::int64_t id) { out.append("{\"id\":").append(std::to_string(id)); }
void member(std::string& out, std::string_view name, std::string_view raw) {
  if (raw.empty()) return;
  out.append(",\"").append(name).append("\":").append(raw);
}
void end(std::string& out, std::string_view session) {
  if (!session.empty()) out.append(",\"sessionId\":\"").append(session).append("\"");
  out.push_back('}');
}

}  // namespace

std::string command_text(std::int64_t id, std::string_view method, std::string_view params, std::string_view session) {
  std::string out;
  out.reserve(params.size() + method.size() + 128);
  begin_id(out, id);
  out.append(",\"method\":\"").append(method).append("\"");
  member(out, "params", params);
  end(out, session);
  return out;
}

std::string event_text(std::string_view method, std::string_view params, std::string_view session) {
  std::string out;
  out.reserve(params.size() + method.size() + 128);
  out.append("{\"method\":\"").append(method).append("\"");
  member(out, "params", params);
  end(out, session);
  return out;
}

std::string result_text(std::int64_t id, std::string_view result, std::string_view session) {
  std::string out;
  out.reserve(result.size() + 128);
  begin_id(out, id);
  member(out, "result", result);
  end(out, session);
  return out;
}

std::string error_text(std::int64_t id, int code, std::string_view message, std::string_view session) {
  std::string out;
  begin_id(out, id);
  out.append(",\"error\":{\"code\":").append(std::to_string(code)).append(",\"message\":").append(json_quote(message)).append("}");
  end(out, session);
  return out;
}

std::string answer_text(std::int64_t id, const CdpMessage& answer, std::string_view session) {
  std::string out;
  out.reserve(answer.result.size() + answer.error.size() + 128);
  begin_id(out, id);
  member(out, "result", answer.result);
  member(out, "error", answer.error);
  end(out, session);
  return out;
}

}  // namespace popvault::guard
