// The vault of the other tool (pop-pay): opened for import, written for export, never changed in place.
//
// Its vault.enc has the same bytes as ours (vault_file.hpp) and a plaintext of its own: card_number, cvv,
// exp_month, exp_year, expiration_date ("MM/YY"), all strings, perhaps others. Its keys are derived as ours.
// Opening derives up to three keys (some 50 ms each; passphrase: some 200 ms): never on an event loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "os/fs.hpp"
#include "secret/fields.hpp"
#include "vault/flat_json.hpp"

namespace popvault {

enum class ForeignMode : std::uint8_t { machine, machine_oss, machine_hardened, passphrase };
std::string_view to_string(ForeignMode mode) noexcept;
// Also the older words "hardened" and "oss".
std::optional<ForeignMode> foreign_mode_of(std::string_view word) noexcept;

struct ForeignOptions {
  ForeignMode mode = ForeignMode::machine;
  std::optional<Bytes> machine_id;      // bytes as they are, not trimmed; none: foreign_machine_id
  std::optional<std::string> username;  // bytes as they are; none: the current user
  std::optional<Bytes> salt;            // of a hardened build elsewhere, 1 to 64 bytes
  SecretBytes passphrase;               // of any length
};

// This machine's id as the other tool would have it for a vault at `vault_file`: /etc/machine-id trimmed,
// else .machine_id beside the vault. Fails with not_found when there is neither.
Result<Bytes> foreign_machine_id(Fs& fs, const std::string& vault_file,
                                 const std::string& system_file = "/etc/machine-id");

// Fails with vault_corrupt and wrong_key as open_vault; invalid_field for a salt of a wrong size or a missing
// machine id; downgrade_refused for machine_hardened without a salt in a source build. Mode `machine` tries
// the given salt, then this build's, then the public one.
Result<VaultDocument> open_foreign(ByteView file, const ForeignOptions& options);
// The first key that mode may mean: for export.
Result<SecretBytes> foreign_key(const ForeignOptions& options);

struct ForeignCard {
  std::vector<std::string> fields;   // the member names, in order
  std::optional<SecretFields> card;  // normalised; none when card_number is missing or empty
};
// Fails with invalid_field, naming our field, when there is a number but no good card.
Result<ForeignCard> foreign_card(const VaultDocument& document);

// The bytes of a foreign vault.enc with this normalised card.
Result<Bytes> export_foreign(const SecretFields& card, const SecretBytes& key);

}  // namespace popvault
