// Who may ask on the endpoint: the facts of a request's head, judged. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace popvault::guard {

struct RequestHead {
  std::string host;
  int hosts = 0;
  bool from_web = false;  // it carries an Origin, or says that a page fetched it
  std::string target;
};

struct CheckedRequest {
  int status = 200;  // else 400, 401 or 403
  std::string why;
  std::string path;  // without the token and without a trailing slash
  std::string query;
};

// `token`: empty when none is required.
CheckedRequest check_request(const RequestHead& head, std::uint16_t port, std::string_view token);

}  // namespace popvault::guard
