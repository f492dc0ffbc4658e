#include "cli/approvals_view.hpp"

#include <algorithm>
#include <cstdio>

#include "backup/manifest.hpp"
#include "base/display.hpp"

namespace popvault::cli {
namespace {

constexpr WindowSize kLeast{8, 40};
constexpr std::size_t kRowsEach = 2;
constexpr std::size_t kAround = 3;  // the title, the message, the keys

std::string id_of(const Json& purchase) { return purchase["purchase"].text_or(""); }

std::string text_of(const Json& value) { return value.text_or("-"); }

std::string padded(std::string text, std::size_t columns) {
  const std::size_t used = columns_of(text);
  if (used < columns) text.append(columns - used, ' ');
  return text;
}

std::string card_of(const Json& card) {
  if (card.object() == nullptr) return "-";
  const std::string brand = card["brand"].text_or("");
  return (brand.empty() ? text_of(card["kind"]) : brand + " " + text_of(card["masked"])) + " \"" + card["label"].text_or("") + "\"" +
         (card["expired"].bool_or(false) ? " (expired)" : "");
}

// Ours on the left and on the right, what may be long between them.
std::string first_row(const Json& purchase, bool chosen, std::size_t columns, Seconds now) {
  const std::string left = (chosen ? "> " : "  ") + fit(text_of(purchase["amount"]), 24) + "  ";
  const std::string right = "  " + time_left(purchase, now);
  const std::size_t around = columns_of(left) + columns_of(right);
  const std::size_t room = columns > around ? columns - around : 0;
  // The end of an origin says whose it is.
  return left + padded(fit(text_of(purchase["merchant"]), room, Keep::end), room) + right;
}

std::string second_row(const Json& purchase, std::size_t columns) {
  const std::string ours = "    " + fit(card_of(purchase["card"]), columns / 2) + "  " + fit(text_of(purchase["strength"]), 14) + "  ";
  const std::size_t used = columns_of(ours);
  const std::string agent = text_of(purchase["agent_name"]) + ": " + text_of(purchase["text"]);
  return ours + fit(agent, columns > used ? columns - used : 0);
}

void add(std::vector<std::string>& to, std::string_view label, std::string_view value, std::size_t columns) {
  constexpr std::size_t kLabel = 13;
  const std::vector<std::string> lines = fold(value, columns > kLabel + 16 ? columns - kLabel : 16);
  for (std::size_t i = 0; i < lines.size(); ++i)
    to.push_back(padded(i == 0 ? std::string(label) + ":" : std::string(), kLabel) + lines[i]);
}

std::vector<std::string> detail_lines(const Json& purchase, std::size_t columns, Seconds now) {
  std::vector<std::string> out;
  add(out, "amount", text_of(purchase["amount"]), columns);
  add(out, "merchant", text_of(purchase["merchant"]), columns);
  add(out, "card", card_of(purchase["card"]), columns);
  if (purchase["account"].string() != nullptr) add(out, "account", text_of(purchase["account"]), columns);
  add(out, "strength", text_of(purchase["strength"]), columns);
  add(out, "time", time_left(purchase, now), columns);
  add(out, "agent", text_of(purchase["agent_name"]) + " (" + text_of(purchase["agent"]) + ")", columns);
  add(out, "executable", text_of(purchase["executable"]) + " (a label, not checked)", columns);
  add(out, "purchase", id_of(purchase), columns);
  if (purchase["item"].string() != nullptr) add(out, "item", text_of(purchase["item"]), columns);
  add(out, "it says", text_of(purchase["text"]), columns);
  if (!purchase["page_url"].text_or("").empty()) add(out, "its page", text_of(purchase["page_url"]), columns);
  return out;
}

std::string title(const ApprovalList& list, const ApprovalsView& view) {
  const std::size_t count = list.items().size();
  std::string out = "popvault approvals: ";
  if (view.state == "locked") return out + "the vault is locked";
  out += count == 0 ? "nothing waits for you" : std::to_string(count) + (count == 1 ? " waits" : " wait");
  return view.state == "frozen" ? out + " (the vault is frozen)" : out;
}

std::vector<std::string> list_body(const ApprovalList& list, ApprovalsView& view, std::size_t rows, std::size_t columns, Seconds now) {
  const std::size_t shown = rows / kRowsEach;
  const std::size_t count = list.items().size();
  const auto place = list.place();
  if (place && *place < view.top) view.top = *place;
  if (place && *place >= view.top + shown) view.top = *place - shown + 1;
  view.top = std::min(view.top, count > shown ? count - shown : 0);
  std::vector<std::string> out;
  for (std::size_t i = view.top; i < std::min(count, view.top + shown); ++i) {
    out.push_back(first_row(list.items()[i], place == i, columns, now));
    out.push_back(second_row(list.items()[i], columns));
  }
  return out;
}

std::vector<std::string> details_body(const Json& purchase, ApprovalsView& view, std::size_t rows, std::size_t columns, Seconds now) {
  std::vector<std::string> lines = detail_lines(purchase, columns, now);
  view.top = std::min(view.top, lines.size() > rows ? lines.size() - rows : 0);
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(view.top));
  if (lines.size() > rows) {
    lines.resize(rows);
    lines.back() = "(more below: j)";
  }
  return lines;
}

}  // namespace

bool ApprovalList::set(const Json::Array& purchases, bool go_on) {
  if (const auto at = place()) last_place_ = *at;
  items_ = purchases;
  std::stable_sort(items_.begin(), items_.end(), [](const Json& a, const Json& b) {
    const std::string left = a["requested_at"].text_or(""), right = b["requested_at"].text_or("");
    return left != right ? left < right : id_of(a) < id_of(b);
  });
  if (chosen_.empty() || place()) return false;
  chosen_ = go_on && !items_.empty() ? id_of(items_[std::min(last_place_, items_.size() - 1)]) : std::string();
  return true;
}

std::optional<std::size_t> ApprovalList::place() const noexcept {
  if (chosen_.empty()) return std::nullopt;
  const auto at = std::find_if(items_.begin(), items_.end(), [&](const Json& one) { return id_of(one) == chosen_; });
  if (at == items_.end()) return std::nullopt;
  return static_cast<std::size_t>(at - items_.begin());
}

const Json* ApprovalList::chosen() const noexcept {
  const auto at = place();
  return at ? &items_[*at] : nullptr;
}

void ApprovalList::move(long by) {
  if (items_.empty()) return;
  const long last = static_cast<long>(items_.size()) - 1;
  const auto at = place();
  const long to = at ? static_cast<long>(*at) + by : by > 0 ? 0 : last;
  chosen_ = id_of(items_[static_cast<std::size_t>(std::clamp(to, 0L, last))]);
}

bool ApprovalList::any_over(Seconds now) const {
  return std::any_of(items_.begin(), items_.end(), [&](const Json& one) {
    const auto end = parse_rfc3339(one["expires_at"].text_or(""));
    return end && *end <= now;
  });
}

std::string time_left(const Json& purchase, Seconds now) {
  const auto end = parse_rfc3339(purchase["expires_at"].text_or(""));
  if (!end) return "-";
  if (*end <= now) return "over";
  char out[40];
  std::snprintf(out, sizeof out, "%lld:%02lld left", static_cast<long long>((*end - now) / 60), static_cast<long long>((*end - now) % 60));
  return out;
}

std::vector<std::string> approvals_page(const ApprovalList& list, ApprovalsView& view, WindowSize size, Seconds now) {
  std::vector<std::string> out(size.rows);
  if (size.rows < kLeast.rows || size.columns < kLeast.columns) {
    out[0] = fit("Enlarge the window (8 rows, 40 columns); q quits.", size.columns);
    return out;
  }
  const Json* const chosen = list.chosen();
  view.details = view.details && chosen != nullptr;
  const std::size_t rows = size.rows - kAround;
  const std::vector<std::string> body = view.details ? details_body(*chosen, view, rows, size.columns, now)
                                                     : list_body(list, view, rows, size.columns, now);
  out[0] = fit(title(list, view), size.columns);
  std::copy(body.begin(), body.end(), out.begin() + 1);
  out[size.rows - 2] = fit(view.message, size.columns);
  out[size.rows - 1] = fit(view.details            ? "a approve   d deny   j/k scroll   Enter back   q quit"
                           : list.items().empty() ? "q quit"
                                                  : "j/k move   Enter details   a approve   d deny   q quit",
                           size.columns);
  return out;
}

}  // namespace popvault::cli
