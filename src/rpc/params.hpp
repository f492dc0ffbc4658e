// Strict decoding of an object: every member is asked for by name, and what nobody asked for is refused.
//
//   Params in(params);
//   const std::string name = in.text("name", 64);
//   PV_TRY(in.done());
//
// The first fault is kept and given by done(); until then getters give empty values.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/json.hpp"

namespace popvault {

class Params {
 public:
  // Null counts as an empty object; anything else but an object is a fault.
  explicit Params(const Json& object);

  // Required. Text has 1 to `limit` bytes.
  std::string text(std::string_view name, std::size_t limit);
  std::int64_t integer(std::string_view name, std::int64_t low, std::int64_t high);
  const Json& object(std::string_view name);
  const Json::Array& array(std::string_view name, std::size_t limit);
  // Optional.
  std::optional<std::string> optional_text(std::string_view name, std::size_t limit);
  std::int64_t optional_integer(std::string_view name, std::int64_t low, std::int64_t high, std::int64_t otherwise);
  bool optional_flag(std::string_view name, bool otherwise);
  // Any type; null when it is absent.
  const Json& any(std::string_view name);
  bool has(std::string_view name) const noexcept { return object_->find(name) != nullptr; }

  // invalid_params that names the member.
  Status done() const;

 private:
  const Json* take(std::string_view name, bool required);
  void fault(std::string_view name, std::string_view what);

  const Json* object_;
  std::set<std::string, std::less<>> known_;
  std::string fault_;
};

}  // namespace popvault
