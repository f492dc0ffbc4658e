// JSON values: for messages, settings and what a browser says. Never for secrets (they travel in bundles).
//
// The parser is strict: UTF-8, duplicate members refused, depth and size limited, one value and nothing after
// it. Integers and other numbers are different types: 1999.7 or 1e3 is never an integer. Objects keep their
// members sorted by name, so that dump() is canonical: sorted keys, no spaces, UTF-8, only the escapes that
// JSON requires (RFC 8259 section 7).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace popvault {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() noexcept : value_(nullptr) {}
  Json(std::nullptr_t) noexcept : value_(nullptr) {}
  Json(bool v) noexcept : value_(v) {}
  Json(int v) noexcept : value_(static_cast<std::int64_t>(v)) {}
  Json(unsigned v) noexcept : value_(static_cast<std::int64_t>(v)) {}
  Json(std::int64_t v) noexcept : value_(v) {}
  Json(double v) noexcept : value_(v) {}
  Json(const char* v) : value_(std::string(v)) {}
  Json(std::string_view v) : value_(std::string(v)) {}
  Json(std::string v) noexcept : value_(std::move(v)) {}
  Json(Array v) noexcept : value_(std::move(v)) {}
  Json(Object v) noexcept : value_(std::move(v)) {}

  struct Limits {
    std::size_t size = 64 * 1024;
    unsigned depth = 16;
  };
  // Fails with parse_error or too_large.
  static Result<Json> parse(std::string_view text, const Limits& limits);
  static Result<Json> parse(std::string_view text) { return parse(text, Limits{}); }
  std::string dump() const;
  // With two spaces of indent, for people.
  std::string pretty() const;

  bool is_null() const noexcept { return std::holds_alternative<std::nullptr_t>(value_); }
  // Null when the value is of another type.
  const bool* boolean() const noexcept { return std::get_if<bool>(&value_); }
  const std::int64_t* integer() const noexcept { return std::get_if<std::int64_t>(&value_); }
  const std::string* string() const noexcept { return std::get_if<std::string>(&value_); }
  const Array* array() const noexcept { return std::get_if<Array>(&value_); }
  const Object* object() const noexcept { return std::get_if<Object>(&value_); }
  // An integer or another number as a double.
  std::optional<double> number() const noexcept;

  // A member of an object; null when this is no object or has no such member.
  const Json* find(std::string_view name) const noexcept;
  // Chains: a missing step gives a null value.
  const Json& operator[](std::string_view name) const noexcept;
  // The string, integer or flag here, or the fallback when it is of another type.
  std::string text_or(std::string_view fallback) const;
  std::int64_t int_or(std::int64_t fallback) const noexcept;
  bool bool_or(bool fallback) const noexcept;
  // Makes this an object if it is null.
  void set(std::string_view name, Json value);
  void erase(std::string_view name);
  bool operator==(const Json&) const = default;

 private:
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> value_;
};

// A quoted JSON string with its escapes; invalid UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace popvault
