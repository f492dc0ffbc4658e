// The journal's chain: canonical bytes of a row, its hash, and the verifier. Pure.
//
// hash = SHA-256(previous hash || "PVJ1" || u64 seq || u64 at || u16 kind || u32 size || body), integers
// big-endian, the body canonical JSON in UTF-8. The first row has seq 1 and 32 zero bytes before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/digest.hpp"

namespace popvault::journal {

enum class Kind : std::uint16_t {
#define POPVAULT_JOURNAL_KIND(number, word, authority) word = number,
#include "journal/kinds.def"
#undef POPVAULT_JOURNAL_KIND
};
// Null for a number that is not in the list.
std::optional<Kind> kind_of(std::uint16_t number) noexcept;
std::optional<Kind> kind_of(std::string_view word) noexcept;
std::string_view to_string(Kind kind) noexcept;
bool changes_authority(Kind kind) noexcept;

struct Row {
  std::uint64_t seq = 0;
  std::int64_t at = 0;  // seconds since 1970
  Kind kind{};
  std::string body;     // canonical JSON
  crypto::Digest hash{};
};

// What the journal ends with; seq 0 and a zero hash when it is empty.
struct Head {
  std::uint64_t seq = 0;
  crypto::Digest hash{};
  bool operator==(const Head&) const = default;
};

crypto::Digest row_hash(const crypto::Digest& previous, const Row& row);

// Feed it every row in order. A row that does not continue the chain is journal_broken, and what follows it is
// not looked at.
class Verifier {
 public:
  Verifier() = default;
  // From behind a row that is believed.
  explicit Verifier(const Head& from) : head_(from) {}
  Status add(const Row& row);
  const Head& head() const noexcept { return head_; }

 private:
  Head head_;
};

}  // namespace popvault::journal
