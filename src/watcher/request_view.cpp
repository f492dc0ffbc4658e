#include "watcher/request_view.hpp"

#include "base/display.hpp"

namespace popvault::watcher {
namespace {

constexpr std::size_t kLongestText = 120;
constexpr std::size_t kLongestName = 60;

// Cut between characters that were escaped already, never inside an escape.
std::string cut(std::string_view raw, std::size_t most, std::string (*escape)(std::string_view)) {
  std::string out;
  while (!raw.empty()) {
    const std::size_t size = first_glyph(raw).size;
    const std::string piece = escape(raw.substr(0, size));
    if (out.size() + piece.size() > most) return out + "...";
    out += piece;
    raw.remove_prefix(size);
  }
  return out;
}

std::string markup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else out += c;
  }
  return out;
}

Json escaped(const Json& value, std::string (*escape)(std::string_view)) {
  const std::string* const text = value.string();
  return text == nullptr ? value.is_null() || value.integer() != nullptr ? value : Json() : Json(escape(*text));
}

Json card_of(const Json& card) {
  if (card.object() == nullptr) return {};
  Json out{Json::Object{}};
  for (const char* name : {"kind", "brand", "masked", "label"}) out.set(name, escaped(card[name], escape_for_terminal));
  out.set("expired", card["expired"].bool_or(false));
  return out;
}

}  // namespace

Notice notice_of(const Json& purchase) {
  const std::string agent = cut(purchase["agent_name"].text_or("an agent"), kLongestName, escape_for_terminal);
  return {"Approve " + cut(purchase["amount"].text_or("a purchase"), kLongestName, escape_ascii) + "?",
          markup(cut(purchase["merchant"].text_or("-"), kLongestText, escape_ascii)) + "\n" + markup(agent) + " says: " +
              markup(cut(purchase["text"].text_or("-"), kLongestText, escape_for_terminal)) +
              "\nTo answer: popvault approvals --watch"};
}

Notice locked_notice() {
  return {"A purchase waits for you", "The vault is locked: popvault unlock, then popvault approvals --watch"};
}

Json request_of(const Json& purchase) {
  Json out{Json::Object{{"what", "approval"}}};
  for (const char* name : {"purchase", "agent", "amount", "currency", "expires_at", "merchant", "executable", "page_url",
                           "requested_at", "status", "strength"})
    out.set(name, escaped(purchase[name], escape_ascii));
  for (const char* name : {"agent_name", "text"}) out.set(name, escaped(purchase[name], escape_for_terminal));
  out.set("amount_minor", escaped(purchase["amount_minor"], escape_ascii));
  out.set("card", card_of(purchase["card"]));
  return out;
}

}  // namespace popvault::watcher
