#include "injector/target.hpp"

#include <algorithm>

#include "base/origin.hpp"

namespace popvault::injector {
namespace {

// The value of one switch, "" when it has none. The command line is one string, its quoting lost: a switch is
// whatever follows a space and two dashes.
std::optional<std::string_view> switch_value(std::string_view line, std::string_view name) {
  for (std::size_t at = line.find(" --"); at != line.npos; at = line.find(" --", at + 1)) {
    const std::string_view rest = line.substr(at + 3);
    if (!rest.starts_with(name)) continue;
    const std::string_view after = rest.substr(name.size());
    if (after.empty() || after.front() == ' ') return std::string_view{};
    if (after.front() == '=')
      return after.substr(1, after.find(' ') == after.npos ? after.npos : after.find(' ') - 1);
  }
  return std::nullopt;
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
  for (const std::string_view name : {"log-net-log", "v", "vmodule", "proxy-server", "proxy-pac-url",
                                      "proxy-auto-detect", "host-resolver-rules", "host-rules",
                                      "ssl-key-log-file", "net-log-capture-mode", "disable-web-security"})
    if (switch_value(command_line, name)) return false;
  // The certificate checks are what ties an https origin to the merchant.
  for (const std::string_view name : {"ignore-certificate-errors", "ignore-certificate-errors-spki-list"})
    if (!allow_loopback_http && switch_value(command_line, name)) return false;
  const auto address = switch_value(command_line, "remote-debugging-address");
  return !address || loopback_address(*address);
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
