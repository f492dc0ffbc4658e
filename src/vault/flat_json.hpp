// The plaintext of vault.enc: one JSON object whose members are all strings, read and written in secret
// memory.
//
// The reader takes RFC 8259 text of exactly that shape in UTF-8: white space between tokens, all escapes
// including surrogate pairs. Anything else (an array, nesting, a number, a duplicate name, bytes after the
// end, a lone surrogate, a byte order mark, over kMaxMembers members) is vault_corrupt. The writer keeps the
// order, puts no spaces and escapes only what must be: what JSON.stringify gives for the same object, so the
// bytes are those of the existing tool. Names are public (they name, they do not hold); values are secret.
// One thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault {

constexpr std::size_t kMaxMembers = 4096;

class VaultDocument {
 public:
  VaultDocument() = default;
  static Result<VaultDocument> parse(const SecretBytes& text);
  SecretBytes serialise() const;

  // Null when there is no such member. Valid until the next change.
  const SecretBytes* find(std::string_view name) const noexcept;
  bool has(std::string_view name) const noexcept { return find(name) != nullptr; }
  // Replaces in place or adds at the end. Name and value are UTF-8 (a broken invariant otherwise: it aborts).
  void set(std::string_view name, SecretBytes value);
  // The same for a value that is no secret.
  void set_text(std::string_view name, std::string_view value);
  void erase(std::string_view name);
  std::vector<std::string> names() const;
  std::size_t size() const noexcept { return members_.size(); }
  VaultDocument clone() const;
  friend bool operator==(const VaultDocument& a, const VaultDocument& b) noexcept;

 private:
  struct Member {
    std::string name;
    SecretBytes value;
  };
  std::vector<Member> members_;
};

}  // namespace popvault
