// The fields of a record that is being added: lines name=value, parsed inside secret memory.
//
// Blank lines are skipped, a carriage return at a line's end is dropped, nothing else of a value is changed.
// Errors name the field or the line's number, never a value, and a name only if it cannot be a value.
#pragma once

#include <span>
#include <string_view>

#include "base/result.hpp"
#include "secret/fields.hpp"

namespace popvault::cli {

struct FieldSpec {
  std::string_view name;
  std::string_view prompt;
  bool hidden;  // typed without echo
  bool required;
};

// The fields of a kind as the daemon calls it (card, identity, login, api_key); empty for another word.
std::span<const FieldSpec> fields_of(std::string_view kind) noexcept;

// Fails with invalid_field: unknown name, twice the same, a line without "=", nothing at all.
Result<SecretFields> parse_field_lines(const SecretBytes& text, std::span<const FieldSpec> allowed);
// Fails with invalid_field when a required field is missing or empty.
Status check_required(const SecretFields& fields, std::span<const FieldSpec> specs);

}  // namespace popvault::cli
