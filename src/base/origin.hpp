// A web origin: scheme, host and port, compared exactly (RFC 6454).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace popvault {

class Origin {
 public:
  // "https://shop.example" or "http://127.0.0.1:8080". Only http and https; a lower-case ASCII host (an IDN
  // in its xn-- form), no user, path, query or fragment (one trailing "/" is dropped); a default port is
  // dropped. Fails with invalid_field.
  static Result<Origin> parse(std::string_view text);
  // The origin of a whole http or https URL; the rest of the URL is not looked at.
  static Result<Origin> of_url(std::string_view url);

  // "https://shop.example": the ASCII serialisation of RFC 6454 section 6.2.
  const std::string& text() const noexcept { return text_; }
  const std::string& host() const noexcept { return host_; }
  std::uint16_t port() const noexcept { return port_; }
  bool https() const noexcept { return https_; }
  // 127.0.0.0/8, [::1], localhost, *.localhost.
  bool loopback() const noexcept;
  bool operator==(const Origin& other) const noexcept { return text_ == other.text_; }

 private:
  Origin() = default;
  std::string text_, host_;
  std::uint16_t port_ = 0;
  bool https_ = false;
};

}  // namespace popvault
