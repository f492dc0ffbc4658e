#include "injector/price.hpp"

#include <vector>

namespace popvault::injector {
namespace {

constexpr std::size_t kMaxDigits = 15;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The marks that may stand between digits, the many spaces and apostrophes as one each; 0 for another character.
struct Mark {
  char as = 0;
  std::size_t size = 0;
};

Mark mark_at(std::string_view text) {
  struct Row {
    std::string_view text;
    char as;
  };
  // No-break, narrow no-break, thin and figure space; the typographic apostrophe.
  static constexpr Row kMarks[] = {{".", '.'}, {",", ','}, {" ", ' '}, {"'", '\''}, {"\xc2\xa0", ' '}, {"\xe2\x80\xaf", ' '},
                                   {"\xe2\x80\x89", ' '}, {"\xe2\x80\x87", ' '}, {"\xe2\x80\x99", '\''}};
  for (const Row& row : kMarks)
    if (text.starts_with(row.text)) return {row.as, row.text.size()};
  return {};
}

// Digits and, before each group but the first, the mark.
struct Run {
  std::vector<std::string_view> groups;
  std::vector<char> marks;
};

// The one run of digits in the text.
std::optional<Run> only_run(std::string_view text) {
  Run out;
  std::size_t at = 0;
  while (at < text.size() && !is_digit(text[at])) ++at;
  if (at == text.size()) return std::nullopt;
  // A sign, or a mark such as that of ".99": not an amount that is asked for.
  if (at > 0 && (text[at - 1] == '-' || text[at - 1] == '.' || text[at - 1] == ',')) return std::nullopt;
  if (text.substr(0, at).ends_with("\xe2\x88\x92")) return std::nullopt;
  while (true) {
    const std::size_t from = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    out.groups.push_back(text.substr(from, at - from));
    const Mark mark = mark_at(text.substr(at));
    if (mark.as == 0 || at + mark.size >= text.size() || !is_digit(text[at + mark.size])) break;
    out.marks.push_back(mark.as);
    at += mark.size;
  }
  for (; at < text.size(); ++at)
    if (is_digit(text[at]) || text[at] == '%') return std::nullopt;
  return out;
}

// Groups as they part a whole number: three digits each, or two before the last three.
bool well_grouped(const std::vector<std::string_view>& groups) {
  if (groups.size() == 1) return true;
  if (groups.front().empty() || groups.front().size() > 3 || groups.back().size() != 3) return false;
  bool threes = true, twos = groups.front().size() <= 2;
  for (std::size_t i = 1; i + 1 < groups.size(); ++i) {
    threes = threes && groups[i].size() == 3;
    twos = twos && groups[i].size() == 2;
  }
  return threes || twos;
}

bool all_are(const std::vector<char>& marks, char mark) {
  for (const char one : marks)
    if (one != mark) return false;
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_amount(std::string_view text, unsigned exponent) {
  if (text.size() > kMaxPriceText) return std::nullopt;
  auto run = only_run(text);
  if (!run) return std::nullopt;
  std::string_view fraction;
  const bool point = !run->marks.empty() && (run->marks.back() == '.' || run->marks.back() == ',');
  if (point && exponent > 0 && run->groups.back().size() == exponent) {
    const char mark = run->marks.back();
    fraction = run->groups.back();
    run->groups.pop_back();
    run->marks.pop_back();
    for (const char other : run->marks)
      if (other == mark) return std::nullopt;
  }
  if (!run->marks.empty() && !all_are(run->marks, run->marks.front())) return std::nullopt;
  if (!well_grouped(run->groups)) return std::nullopt;
  std::int64_t out = 0;
  std::size_t digits = 0;
  const auto add = [&](std::string_view part) {
    for (const char c : part) out = out * 10 + (c - '0');
    digits += part.size();
  };
  for (const std::string_view group : run->groups) {
    if (digits + group.size() + exponent > kMaxDigits) return std::nullopt;
    add(group);
  }
  if (fraction.empty())
    for (unsigned i = 0; i < exponent; ++i) out *= 10;
  else
    add(fraction);
  return out;
}

bool within_drift(std::int64_t shown, const Price& price) {
  constexpr std::int64_t kMost = 1'000'000'000'000'000;
  if (shown < 0 || shown > kMost || price.amount_minor < 0 || price.amount_minor > kMost) return false;
  const std::int64_t apart = shown > price.amount_minor ? shown - price.amount_minor : price.amount_minor - shown;
  // apart / approved <= drift / 10000, without a product that is too large.
  const std::int64_t whole = price.amount_minor / 10'000 * price.drift;
  const std::int64_t rest = price.amount_minor % 10'000 * price.drift / 10'000;
  return apart <= whole + rest;
}

Step<void> check_price(Page& page, const Job& job) {
  if (job.price.selector.empty()) return {};
  const Frame* const top = page.top();
  if (top == nullptr || top->world.empty() || top->origin != 0) return stop(Outcome::price_mismatch);
  Json selector;
  selector.set("value", job.price.selector);
  PV_ASSIGN(const std::optional<Json> answer, page.value(page.call(*top, "priceText", {selector})));
  const auto shown = answer ? parse_amount(answer->text_or(""), job.price.exponent) : std::nullopt;
  if (!shown || !within_drift(*shown, job.price)) return stop(Outcome::price_mismatch);
  return {};
}

}  // namespace popvault::injector
