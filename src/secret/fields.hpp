// Named secret values in one flat block: the plaintext of a record, and the body of a bundle.
//
//   u16 count, then per field: u8 name length (1..32), name [a-z0-9_.], u16 value length, value
//
// Integers are big-endian. At most 64 fields, names unique. The block lives in secret memory.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault {

constexpr std::size_t kMaxFields = 64;
constexpr std::size_t kMaxFieldName = 32;
constexpr std::size_t kMaxFieldsSize = 16 * 1024;

class SecretFields {
 public:
  SecretFields() = default;
  // Takes the block over after checking its form. Fails with vault_corrupt; the block is wiped then.
  static Result<SecretFields> parse(SecretBytes block);
  // The same form, checked in a region that the caller maps and wipes.
  static bool well_formed(ByteView block) noexcept;

  // The value, valid as long as this object; none when there is no such field.
  std::optional<ByteView> find(std::string_view name, SecretAccess) const noexcept;
  bool has(std::string_view name) const noexcept;
  std::vector<std::string> names() const;
  std::size_t size() const noexcept { return block_.size(); }
  ByteView reveal(SecretAccess access) const noexcept { return block_.reveal(access); }
  // Replace or add one. Fails with invalid_field when a limit is passed; nothing changes then.
  Status set(std::string_view name, ByteView value);
  void erase(std::string_view name);
  void reset() noexcept { block_.reset(); }
  SecretFields clone() const;

 private:
  Status rebuild(std::string_view without, std::string_view name, std::optional<ByteView> value);
  SecretBytes block_;
};

// One field of a well-formed block that is mapped elsewhere (a received bundle).
std::optional<ByteView> find_field(ByteView block, std::string_view name) noexcept;

}  // namespace popvault
