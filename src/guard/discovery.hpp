// The HTTP part of DevTools: /json/version, /json, /json/list, /json/protocol, /json/new, /json/activate/, /json/close/.
#pragma once

#include <string>
#include <string_view>

#include "guard/endpoint.hpp"
#include "guard/hub.hpp"

namespace popvault::guard {

// `port` and `token` are for the WebSocket URLs that are told.
void discover(Hub& hub, std::uint16_t port, const std::string& token, std::string_view method, std::string_view path,
              std::string_view query, const Answer& answer);

}  // namespace popvault::guard
