#include "cli/masked_text.hpp"

#include "base/display.hpp"

namespace popvault::cli {
namespace {

std::string text_of(const Json& value, std::string_view fallback = "-") {
  if (const auto* flag = value.boolean()) return *flag ? "yes" : "no";
  if (const auto* number = value.integer()) return std::to_string(*number);
  if (value.object() != nullptr || value.array() != nullptr) return escape_for_terminal(value.dump());
  return escape_for_terminal(value.text_or(fallback));
}

std::string ascii_of(const Json& value) { return escape_ascii(value.text_or("-")); }

std::string card_text(const Json& card) {
  if (card.object() == nullptr) return "-";
  const std::string brand = card["brand"].text_or("");
  std::string out =
      brand.empty() ? text_of(card["kind"]) : text_of(card["brand"]) + " " + text_of(card["masked"]);
  out += " \"" + text_of(card["label"], "") + "\"";
  if (card["expired"].bool_or(false)) out += " (expired)";
  return out;
}

}  // namespace

std::string plain_line(std::string_view name, const Json& value) {
  return std::string(name) + ": " + text_of(value) + "\n";
}

std::string record_line(const Json& view) {
  std::string out = text_of(view["id"]) + "  " + card_text(view);
  if (view["trashed_until"].string() != nullptr) out += "  in the trash until " + text_of(view["trashed_until"]);
  return out + "\n";
}

std::string record_lines(const Json& view) {
  std::string out;
  for (const char* name :
       {"id", "kind", "alias", "label", "brand", "masked", "expired", "created_at", "epoch", "version"})
    if (view.find(name) != nullptr) out += plain_line(name, view[name]);
  return out;
}

std::string anomaly_text(const Json& anomaly) {
  std::string programs;
  if (const auto* list = anomaly["executables"].array())
    for (const Json& one : *list) {
      const std::string name = one.text_or("");
      programs += (programs.empty() ? "" : " and ") + (name.empty() ? std::string("an unknown one") : escape_for_terminal(name));
    }
  return "its key was shown by two programs at once: " + programs + " (" + text_of(anomaly["at"]) + ")";
}

std::string purchase_line(const Json& purchase) {
  std::string out = text_of(purchase["purchase"]) + "  " + text_of(purchase["status"]);
  if (const auto* why = purchase["reason"].string()) out += " (" + escape_for_terminal(*why) + ")";
  return out + "  " + text_of(purchase["amount"]) + "  " + ascii_of(purchase["merchant"]) + "  by " +
         text_of(purchase["agent_name"]) + "\n";
}

std::string purchase_lines(const Json& purchase) {
  std::string out = text_of(purchase["purchase"]) + "  " + text_of(purchase["status"]) + "\n";
  out += "  amount:     " + text_of(purchase["amount"]) + "\n";
  out += "  merchant:   " + ascii_of(purchase["merchant"]) + "\n";
  out += "  card:       " + card_text(purchase["card"]) + "\n";
  out += "  strength:   " + text_of(purchase["strength"]) + "\n";
  out += "  expires:    " + text_of(purchase["expires_at"]) + "\n";
  out += "  agent:      " + text_of(purchase["agent_name"]) + " (" + text_of(purchase["agent"]) + ")\n";
  out += "  executable: " + text_of(purchase["executable"]) + " (a label, not checked)\n";
  out += "  it says:    " + text_of(purchase["text"]) + "\n";
  if (purchase["page_url"].string() != nullptr)
    out += "  its page:   " + ascii_of(purchase["page_url"]) + "\n";
  return out;
}

}  // namespace popvault::cli
