// The page that a job names, and whether the browser may be given a card at all.
#pragma once

#include <string_view>

#include "injector/failure.hpp"
#include "rpc/json.hpp"

namespace popvault::injector {

// The target id, out of the answer of Target.getTargets: by exact id or by exact URL, among pages only.
Step<std::string> pick_target(const Json& targets, const Job& job);

// False for a browser that writes down what it loads, sends it through somebody else, resolves names as it was told,
// or can be driven from another machine. `command_line` is the one that SystemInfo.getInfo gives.
bool browser_allowed(std::string_view command_line, bool allow_loopback_http);

// The index of the frame's origin in job.origins: none when it is unlisted or opaque, when the URL is no http(s) one
// (srcdoc, blob, data, about), or when it is not https (loopback http only if the job allows it).
std::uint8_t origin_index(const Job& job, std::string_view url, std::string_view security_origin);
constexpr std::uint8_t kNoOrigin = 0xff;

}  // namespace popvault::injector
