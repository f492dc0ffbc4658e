#include "vault/foreign.hpp"

#include <algorithm>

#include "crypto/compiled_salt.hpp"
#include "crypto/kdf.hpp"
#include "vault/card.hpp"
#include "vault/machine_id.hpp"
#include "vault/vault_file.hpp"

namespace popvault {
namespace {

struct ModeWord {
  std::string_view word;
  ForeignMode mode;
};
constexpr ModeWord kModeWords[] = {
    {"machine", ForeignMode::machine},
    {"machine-oss", ForeignMode::machine_oss},
    {"machine-hardened", ForeignMode::machine_hardened},
    {"passphrase", ForeignMode::passphrase},
    {"oss", ForeignMode::machine_oss},
    {"hardened", ForeignMode::machine_hardened},
};
constexpr std::size_t kMaxSalt = 64;
constexpr std::size_t kMaxMachineId = 4096;

// The salts that a machine mode may mean, best guess first.
Result<std::vector<SecretBytes>> salts_of(const ForeignOptions& options) {
  std::vector<SecretBytes> out;
  if (options.salt) {
    if (options.salt->empty() || options.salt->size() > kMaxSalt) return fail(Errc::invalid_field, "salt");
    out.push_back(SecretBytes::copy_of(*options.salt));
  }
  const bool hardened = options.mode != ForeignMode::machine_oss;
  if (hardened && crypto::hardened_build() &&
      !(options.salt && options.mode == ForeignMode::machine_hardened))
    out.push_back(crypto::compiled_salt());
  const bool open_salt =
      options.mode == ForeignMode::machine || (options.mode == ForeignMode::machine_oss && !options.salt);
  if (open_salt) out.push_back(SecretBytes::copy_of(crypto::public_salt()));
  if (out.empty()) return fail(Errc::downgrade_refused, "or give its salt with --salt-hex");
  return out;
}

Result<VaultDocument> open_machine(ByteView file, const ForeignOptions& options) {
  PV_ASSIGN(const std::vector<SecretBytes> salts, salts_of(options));
  const std::string username = options.username ? *options.username : current_username();
  Result<VaultDocument> last = fail(Errc::wrong_key);
  for (const SecretBytes& salt : salts) {
    PV_ASSIGN(const SecretBytes key,
              crypto::scrypt_machine_key(*options.machine_id, username, salt.reveal(SecretAccess{})));
    last = open_vault(key, file);
    if (last || last.error().code != Errc::wrong_key) return last;
  }
  return last;
}

ByteView value_of(const VaultDocument& document, std::string_view name) {
  const SecretBytes* const value = document.find(name);
  return value != nullptr ? trimmed(value->reveal(SecretAccess{})) : ByteView{};
}

// exp_month and exp_year, or, when one is missing, the two halves of "MM/YY".
Status put_expiry(SecretFields& card, const VaultDocument& document) {
  ByteView month = value_of(document, "exp_month");
  ByteView year = value_of(document, "exp_year");
  if (month.empty() || year.empty()) {
    const ByteView both = value_of(document, "expiration_date");
    const auto slash = std::find(both.begin(), both.end(), '/');
    if (slash == both.end()) return fail(Errc::invalid_field, month.empty() ? "exp_month" : "exp_year");
    month = trimmed(ByteView(both.begin(), slash));
    year = trimmed(ByteView(slash + 1, both.end()));
  }
  PV_TRY(card.set("exp_month", month));
  return card.set("exp_year", year);
}

}  // namespace

std::string_view to_string(ForeignMode mode) noexcept {
  for (const ModeWord& row : kModeWords)
    if (row.mode == mode) return row.word;
  return "machine";
}

std::optional<ForeignMode> foreign_mode_of(std::string_view word) noexcept {
  for (const ModeWord& row : kModeWords)
    if (row.word == word) return row.mode;
  return std::nullopt;
}

Result<Bytes> foreign_machine_id(Fs& fs, const std::string& vault_file, const std::string& system_file) {
  const Result<Bytes> system = read_system_file(fs, system_file, kMaxMachineId);
  if (!system && system.error().code != Errc::not_found) return system;
  if (system) {
    const ByteView id = trimmed(*system);
    if (!id.empty()) return Bytes(id.begin(), id.end());
  }
  return read_system_file(fs, parent_of(vault_file) + "/.machine_id", kMaxMachineId);
}

Result<VaultDocument> open_foreign(ByteView file, const ForeignOptions& options) {
  if (!options.machine_id) return fail(Errc::invalid_field, "machine_id");
  if (options.mode != ForeignMode::passphrase) return open_machine(file, options);
  PV_ASSIGN(const SecretBytes key, crypto::pbkdf2_passphrase_key(options.passphrase, *options.machine_id));
  return open_vault(key, file);
}

Result<SecretBytes> foreign_key(const ForeignOptions& options) {
  if (!options.machine_id) return fail(Errc::invalid_field, "machine_id");
  if (options.mode == ForeignMode::passphrase)
    return crypto::pbkdf2_passphrase_key(options.passphrase, *options.machine_id);
  PV_ASSIGN(const std::vector<SecretBytes> salts, salts_of(options));
  const std::string username = options.username ? *options.username : current_username();
  return crypto::scrypt_machine_key(*options.machine_id, username, salts.front().reveal(SecretAccess{}));
}

Result<ForeignCard> foreign_card(const VaultDocument& document) {
  ForeignCard out;
  out.fields = document.names();
  const ByteView number = value_of(document, "card_number");
  if (number.empty()) return out;
  SecretFields card;
  PV_TRY(card.set("number", number));
  PV_TRY(put_expiry(card, document));
  PV_TRY(card.set("cvv", value_of(document, "cvv")));
  PV_TRY(normalise_card(card));
  out.card = std::move(card);
  return out;
}

Result<Bytes> export_foreign(const SecretFields& card, const SecretBytes& key) {
  const auto number = card.find("number", SecretAccess{});
  const auto month = card.find("exp_month", SecretAccess{});
  const auto year = card.find("exp_year", SecretAccess{});
  if (!number || !month || month->size() != 2 || !year || year->size() != 4)
    return fail(Errc::internal, "the card is not normalised");
  const ByteView short_year = year->last(2);
  SecretBytes both = SecretBytes::zeros(5);
  std::uint8_t* at = both.reveal(SecretAccess{}).data();
  at = std::copy(month->begin(), month->end(), at);
  *at++ = '/';
  std::copy(short_year.begin(), short_year.end(), at);
  VaultDocument out;
  out.set("card_number", SecretBytes::copy_of(*number));
  out.set("cvv", SecretBytes::copy_of(card.find("cvv", SecretAccess{}).value_or(ByteView{})));
  out.set("exp_month", SecretBytes::copy_of(*month));
  out.set("exp_year", SecretBytes::copy_of(short_year));
  out.set("expiration_date", std::move(both));
  return seal_vault(key, out);
}

}  // namespace popvault
