// The masked view: the only thing about a record that an agent may see.
//
// It is made in two steps. view_of_card (or view_of_other) picks from a record what a view needs into a block
// of SecretFields: label, brand, last4, masked and valid_through, which goes no further. That block is sealed
// into a column of state.db under the "view" key, bound to its record and version. open_view decrypts it in
// secret memory, and masked_view makes the MaskedView: the one place where bytes leave. Never in it: number,
// cvv, expiry date, any digit besides the last four, holder. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "os/clock.hpp"
#include "secret/fields.hpp"

namespace popvault {

constexpr std::size_t kMaxLabel = 100;

struct MaskedView {
  std::string id;  // empty before the record is stored
  std::string kind;
  std::string alias;  // empty before the record is stored
  std::string label;
  std::string brand;   // cards only, else ""
  std::string last4;   // cards only, else ""
  std::string masked;  // "****-****-****-4242", amex "****-******-*0005"; "" for other kinds
  bool expired = false;
  bool operator==(const MaskedView&) const = default;
};

// Plain UTF-8 text of 1 to 100 bytes, white space around it dropped; else invalid_field "label".
Result<std::string> checked_label(std::string_view label);

// From the fields of a normalised card; internal when they are not.
Result<SecretFields> view_of_card(std::string_view label, const SecretFields& card);
// Kinds with nothing to mask but the label.
Result<SecretFields> view_of_other(std::string_view label);

MaskedView masked_view(std::string_view id, std::string_view kind, std::string_view alias,
                       const SecretFields& view, Seconds now);

Result<Bytes> seal_view(const SecretBytes& view_key, std::string_view record_id, std::uint64_t version,
                        const SecretFields& view);
// A column of another record or version, or an edited one, is state_corrupt.
Result<SecretFields> open_view_fields(const SecretBytes& view_key, std::string_view record_id,
                                      std::uint64_t version, ByteView sealed);
Result<MaskedView> open_view(const SecretBytes& view_key, std::string_view id, std::string_view kind,
                             std::string_view alias, std::uint64_t version, ByteView sealed, Seconds now);

// The masked form of a number with so many digits and these last four.
std::string masked_number(std::size_t digits, std::string_view last4);
// "tok_<kind>_" and 26 base32 characters: random, no relation to the record.
std::string new_alias(std::string_view kind);

}  // namespace popvault
