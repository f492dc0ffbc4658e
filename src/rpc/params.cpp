#include "rpc/params.hpp"

namespace popvault {
namespace {
const Json kNull;
const Json kEmptyObject{Json::Object{}};
const Json::Array kEmptyArray;
}  // namespace

Params::Params(const Json& object) : object_(&object) {
  if (object.is_null()) object_ = &kEmptyObject;
  if (object_->object() == nullptr) {
    object_ = &kEmptyObject;
    fault("params", "must be an object");
  }
}

void Params::fault(std::string_view name, std::string_view what) {
  if (fault_.empty()) fault_ = std::string(name) + " " + std::string(what);
}

const Json* Params::take(std::string_view name, bool required) {
  known_.emplace(name);
  const Json* found = object_->find(name);
  if (found == nullptr && required) fault(name, "is missing");
  return found;
}

std::string Params::text(std::string_view name, std::size_t limit) {
  const Json* found = take(name, true);
  if (found == nullptr) return {};
  const std::string* value = found->string();
  if (value == nullptr || value->empty() || value->size() > limit) {
    fault(name, "must be a text of 1 to " + std::to_string(limit) + " bytes");
    return {};
  }
  return *value;
}

std::optional<std::string> Params::optional_text(std::string_view name, std::size_t limit) {
  if (take(name, false) == nullptr) return std::nullopt;
  return text(name, limit);
}

std::int64_t Params::integer(std::string_view name, std::int64_t low, std::int64_t high) {
  const Json* found = take(name, true);
  if (found == nullptr) return low;
  const std::int64_t* value = found->integer();
  if (value == nullptr || *value < low || *value > high) {
    fault(name, "must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
    return low;
  }
  return *value;
}

std::int64_t Params::optional_integer(std::string_view name, std::int64_t low, std::int64_t high,
                                      std::int64_t otherwise) {
  return take(name, false) == nullptr ? otherwise : integer(name, low, high);
}

bool Params::optional_flag(std::string_view name, bool otherwise) {
  const Json* found = take(name, false);
  if (found == nullptr) return otherwise;
  if (found->boolean() == nullptr) fault(name, "must be true or false");
  return found->bool_or(otherwise);
}

const Json& Params::object(std::string_view name) {
  const Json* found = take(name, true);
  if (found == nullptr) return kEmptyObject;
  if (found->object() != nullptr) return *found;
  fault(name, "must be an object");
  return kEmptyObject;
}

const Json::Array& Params::array(std::string_view name, std::size_t limit) {
  const Json* found = take(name, true);
  if (found == nullptr) return kEmptyArray;
  const Json::Array* items = found->array();
  if (items != nullptr && items->size() <= limit) return *items;
  fault(name, "must be a list of at most " + std::to_string(limit));
  return kEmptyArray;
}

const Json& Params::any(std::string_view name) {
  const Json* found = take(name, false);
  return found != nullptr ? *found : kNull;
}

Status Params::done() const {
  if (!fault_.empty()) return fail(Errc::invalid_params, fault_);
  for (const auto& member : *object_->object())
    if (!known_.contains(member.first)) {
      // The name came from the peer: only a plain one is repeated.
      const bool plain = member.first.size() <= 32 &&
                         member.first.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string::npos;
      return fail(Errc::invalid_params, plain ? "unknown member " + member.first : "an unknown member");
    }
  return {};
}

}  // namespace popvault
