#include "injector/challenge.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace popvault::injector {
namespace {

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// "threeDSChallenge" -> three ds challenge; "3ds2-acs" -> 3ds2 acs.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool small = i > 0 && std::islower(static_cast<unsigned char>(text[i - 1])) != 0;
    const bool big = std::isupper(static_cast<unsigned char>(c)) != 0;
    const bool next_small = i + 1 < text.size() && std::islower(static_cast<unsigned char>(text[i + 1])) != 0;
    const bool after_big = i > 0 && std::isupper(static_cast<unsigned char>(text[i - 1])) != 0;
    if (!is_word_character(c) || (big && (small || (after_big && next_small)))) out.emplace_back();
    if (is_word_character(c)) out.back() += lower(c);
  }
  std::erase(out, "");
  return out;
}

bool is_one_of(const std::string& word, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// 3ds, 3-D Secure and ACS, as one word or in pieces.
bool says_3ds(const std::vector<std::string>& words) {
  static constexpr std::array<std::string_view, 14> kWords = {"3ds",  "3ds1", "3ds2",     "3dsecure", "3dsecure2", "threeds", "threeds2",
                                                              "acs",  "cres", "creq",     "pareq",    "tds2",      "emv3ds",  "threedsecure"};
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (is_one_of(words[i], kWords)) return true;
    // "acs2.bank.example"
    if (words[i].starts_with("acs") && words[i].find_first_not_of("0123456789", 3) == std::string::npos) return true;
    const bool three = words[i] == "3" || words[i] == "three";
    if (three && i + 1 < words.size() && (words[i + 1] == "ds" || words[i + 1] == "ds2" || words[i + 1] == "dsecure")) return true;
    if ((three || words[i] == "3d") && i + 1 < words.size() && (words[i + 1] == "secure" || (words[i + 1] == "d" && i + 2 < words.size() && words[i + 2] == "secure")))
      return true;
  }
  return false;
}

bool contains(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return lower(a) == b; }) != text.end();
}

bool is_listed(std::string_view url, std::span<const std::string> listed) {
  return std::any_of(listed.begin(), listed.end(), [&](const std::string& one) {
    if (one.find("://") == one.npos || !url.starts_with(one)) return false;
    const std::string_view rest = url.substr(one.size());
    return rest.empty() || one.back() == '/' || rest.front() == '/' || rest.front() == '?' || rest.front() == '#';
  });
}

}  // namespace

bool is_challenge(std::string_view url, std::string_view name, std::span<const std::string> listed) {
  if (is_listed(url, listed)) return true;
  if (!url.starts_with("https://") && !url.starts_with("http://") && !url.empty() && url != "about:blank") return false;
  for (const std::string_view text : {url, name})
    if (contains(text, "captcha") || contains(text, "challenges.cloudflare.com") || contains(text, "turnstile")) return false;
  // Words of the query are data of the page's own, and often tell where to go afterwards.
  const std::vector<std::string> place = words_of(url.substr(0, url.find_first_of("?#")));
  const std::vector<std::string> called = words_of(name);
  const auto has = [&](std::string_view word) {
    return std::find(place.begin(), place.end(), word) != place.end() || std::find(called.begin(), called.end(), word) != called.end();
  };
  const bool asks = has("challenge");
  const bool looks_only = has("method") || has("fingerprint") || has("fingerprinting") || has("devicefingerprint") || has("iframemethod");
  return asks || (!looks_only && (says_3ds(place) || says_3ds(called)));
}

}  // namespace popvault::injector
