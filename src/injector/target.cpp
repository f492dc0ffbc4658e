#include "injector/target.hpp"

#include <algorithm>
#include <array>

#include "base/origin.hpp"

namespace popvault::injector {
namespace {

struct Switch {
  std::string_view name, value;  // "" when it has no value
};

// All switches. The command line is one string, its quoting lost: a switch is every word that begins with one dash or
// two (Chromium takes both), wherever it stands.
std::vector<Switch> switches_of(std::string_view line) {
  constexpr std::string_view kBetween = " \t\n\v\f\r\"'";
  std::vector<Switch> out;
  while (!line.empty()) {
    std::string_view word = line.substr(0, line.find_first_of(kBetween));
    line.remove_prefix(std::min(word.size() + 1, line.size()));
    if (!word.starts_with('-')) continue;
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    const std::size_t equals = std::min(word.find('='), word.size());
    out.push_back({word.substr(0, equals), word.substr(std::min(equals + 1, word.size()))});
  }
  return out;
}

template <std::size_t N>
bool among(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool loopback_address(std::string_view address) {
  return address == "127.0.0.1" || address == "localhost" || address == "::1" || address == "[::1]";
}

}  // namespace

Step<std::string> pick_target(const Json& targets, const Job& job) {
  const Json::Array* const list = targets["targetInfos"].array();
  if (list == nullptr) return stop(Outcome::failed);
  std::vector<std::string> matches;
  for (const Json& target : *list) {
    if (target["type"].text_or("") != "page") continue;
    if (target[job.by_target_id ? "targetId" : "url"].text_or("") == job.page)
      matches.push_back(target["targetId"].text_or(""));
  }
  if (matches.empty()) return stop(Outcome::page_not_found);
  if (matches.size() > 1) return stop(Outcome::page_ambiguous);
  return matches.front();
}

bool browser_allowed(std::string_view command_line, bool allow_loopback_http) {
  static constexpr std::array<std::string_view, 11> kNever{
      "log-net-log",         "v",          "vmodule",          "proxy-server",
      "proxy-pac-url",       "host-rules", "ssl-key-log-file", "proxy-auto-detect",
      "host-resolver-rules", "net-log-capture-mode", "disable-web-security"};
  // The certificate checks are what ties an https origin to the merchant.
  static constexpr std::array<std::string_view, 2> kUnchecked{"ignore-certificate-errors",
                                                              "ignore-certificate-errors-spki-list"};
  for (const Switch& one : switches_of(command_line)) {
    if (among(one.name, kNever) || (!allow_loopback_http && among(one.name, kUnchecked))) return false;
    if (one.name == "remote-debugging-address" && !loopback_address(one.value)) return false;
  }
  return true;
}

std::uint8_t origin_index(const Job& job, std::string_view url, std::string_view security_origin) {
  const auto of_url = Origin::of_url(url);
  const auto origin = Origin::parse(security_origin);
  if (!of_url || !origin || !(*of_url == *origin)) return kNoOrigin;
  if (!origin->https() && !(job.allow_loopback_http && origin->loopback())) return kNoOrigin;
  for (std::size_t i = 0; i < job.origins.size(); ++i) {
    const auto listed = Origin::parse(job.origins[i]);
    if (listed && *listed == *origin) return static_cast<std::uint8_t>(i);
  }
  return kNoOrigin;
}

}  // namespace popvault::injector
