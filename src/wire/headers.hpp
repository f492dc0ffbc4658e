// The headers of a request that decide, each at most once.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/match.hpp"

namespace popvault::wire {

class Headers {
 public:
  explicit Headers(const Request& request) : request_(request) {}
  // The value of the one header of that name (lower case); null when there is none.
  const std::string_view* find(std::string_view name) const noexcept;
  // No deciding header twice, no header that changes the method, and no comma-joined one.
  bool well_formed(const RequestRule& rule) const noexcept;

 private:
  std::size_t count(std::string_view name) const noexcept;
  const Request& request_;
};

struct ContentType {
  std::string media, charset;  // lower case
  std::string boundary;        // as it stands
};
// None for a parameter twice, or one other than charset (and boundary, which is needed, with `multipart`).
std::optional<ContentType> parse_content_type(std::string_view text, bool multipart);

}  // namespace popvault::wire
