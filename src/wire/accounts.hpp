// Which merchant account a request names.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wire/body.hpp"
#include "wire/headers.hpp"
#include "wire/url.hpp"

namespace popvault::wire {

// Each account that the request names must be pinned, and it must name one. `account` gets the first.
std::optional<Mismatch> find_account(const RequestRule& rule, const Url& url,
                                     const std::vector<std::pair<std::string, std::string>>& query, const Headers& headers,
                                     const Node& body, const std::vector<std::string>& pinned, std::string& account);

}  // namespace popvault::wire
