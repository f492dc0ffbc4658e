#include "vault/keyring.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "crypto/kdf.hpp"
#include "crypto/random.hpp"
#include "vault/record_name.hpp"
#include "vault/secret_hex.hpp"

namespace popvault {
namespace {

constexpr std::size_t kKeySize = 32;
constexpr unsigned kSchema = 2;
constexpr std::string_view kEpoch = "epoch.";
constexpr std::string_view kOwnerKey = "owner.key.";
constexpr std::string_view kSubject = "subject.";
constexpr std::size_t kPeriodSize = 4;
constexpr std::size_t kIdCharacters = 26;

tl::unexpected<Error> corrupt(std::string_view member) {
  return fail(Errc::vault_corrupt, "its member " + std::string(member) + " is missing or malformed");
}

// A decimal number without sign, leading zero or anything behind it.
template <class T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return value;
}

// Members that are no secrets.
std::string_view text_of(const VaultDocument& document, std::string_view name) {
  const SecretBytes* const value = document.find(name);
  return value != nullptr ? as_text(value->reveal(SecretAccess{})) : std::string_view{};
}

template <std::size_t N>
bool read_hex(std::string_view text, std::array<std::uint8_t, N>& out) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != N) return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

Status check_schema(const VaultDocument& document) {
  const auto schema = number<unsigned>(text_of(document, "schema"));
  if (!schema || *schema < kSchema) return corrupt("schema");
  if (*schema > kSchema) {
    const std::string needs(text_of(document, "needs"));
    const bool told = !needs.empty() && needs.size() <= 16 && needs.find_first_not_of("0123456789.") == needs.npos;
    return fail(Errc::newer_version,
                "vault.enc has schema " + std::to_string(*schema) + (told ? " and needs popvault " + needs : ""));
  }
  return {};
}

bool known_member(std::string_view name) {
  static constexpr std::string_view kNames[] = {"schema", "vault_id",    "mode",         "umk",
                                                "frozen", "granted", "journal_seq", "journal_hash", "recovery.key",
                                                "recovery.signing"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

Keyring Keyring::create(VaultMode mode) { return create(mode, "vlt_" + crypto::random_token(kIdCharacters)); }

Keyring Keyring::create(VaultMode mode, std::string vault_id) {
  Keyring out;
  out.vault_id_ = std::move(vault_id);
  out.mode_ = mode;
  out.umk_ = crypto::random_secret(kKeySize);
  out.epochs_.emplace(1, crypto::random_secret(kKeySize));
  return out;
}

Result<Keyring> Keyring::from_document(const VaultDocument& document) {
  PV_TRY(check_schema(document));
  Keyring out;
  PV_TRY(out.read_head(document));
  PV_TRY(out.read_mirror(document));
  PV_TRY(out.read_recovery(document));
  for (const std::string& name : document.names()) PV_TRY(out.read_member(name, *document.find(name)));
  if (out.epochs_.empty()) return corrupt("epoch");
  return out;
}

Status Keyring::read_head(const VaultDocument& document) {
  vault_id_ = text_of(document, "vault_id");
  if (!valid_record_name(vault_id_)) return corrupt("vault_id");
  const auto mode = vault_mode_of(text_of(document, "mode"));
  if (!mode) return corrupt("mode");
  mode_ = *mode;
  const SecretBytes* const umk = document.find("umk");
  auto key = umk != nullptr ? secret_from_hex(*umk, kKeySize) : std::nullopt;
  if (!key) return corrupt("umk");
  umk_ = std::move(*key);
  return {};
}

Status Keyring::read_mirror(const VaultDocument& document) {
  const std::string_view frozen = text_of(document, "frozen");
  if (document.has("frozen") && frozen != "0" && frozen != "1") return corrupt("frozen");
  frozen_ = frozen != "0";
  granted_ = text_of(document, "granted") == "1";
  const auto sequence = number<std::uint64_t>(text_of(document, "journal_seq"));
  if (!sequence) return corrupt("journal_seq");
  journal_.sequence = *sequence;
  if (!read_hex(text_of(document, "journal_hash"), journal_.hash.bytes)) return corrupt("journal_hash");
  return {};
}

Status Keyring::read_recovery(const VaultDocument& document) {
  if (!document.has("recovery.key") && !document.has("recovery.signing")) return {};
  crypto::X25519PublicKey key;
  if (!read_hex(text_of(document, "recovery.key"), key.bytes)) return corrupt("recovery.key");
  const SecretBytes* const value = document.find("recovery.signing");
  auto signing = value != nullptr ? secret_from_hex(*value, kKeySize) : std::nullopt;
  if (!signing) return corrupt("recovery.signing");
  set_recovery(key, std::move(*signing));
  return {};
}

Status Keyring::read_member(std::string_view name, const SecretBytes& value) {
  if (name.starts_with(kEpoch)) {
    const auto epoch = number<std::uint32_t>(name.substr(kEpoch.size()));
    auto key = secret_from_hex(value, kKeySize);
    if (!epoch || *epoch == 0 || !key) return corrupt("epoch");
    epochs_.emplace(*epoch, std::move(*key));
  } else if (name.starts_with(kOwnerKey)) {
    crypto::PublicKey key;
    if (!read_hex(as_text(value.reveal(SecretAccess{})), key.bytes)) return corrupt("owner.key");
    owner_keys_.push_back(key);
  } else if (name.starts_with(kSubject)) {
    const auto member = secret_from_hex(value, kPeriodSize + kKeySize);
    if (!member || !put_subject(name.substr(kSubject.size()), *member)) return corrupt("subject");
  } else if (!known_member(name)) {
    unknown_.set(name, value.clone());
  }
  return {};
}

VaultDocument Keyring::to_document() const {
  VaultDocument out;
  out.set_text("schema", std::to_string(kSchema));
  out.set_text("vault_id", vault_id_);
  out.set_text("mode", to_string(mode_));
  out.set("umk", secret_to_hex(umk_));
  for (const auto& entry : epochs_)
    out.set(std::string(kEpoch) + std::to_string(entry.first), secret_to_hex(entry.second));
  std::size_t n = 0;
  for (const crypto::PublicKey& key : owner_keys_)
    out.set_text(std::string(kOwnerKey) + std::to_string(++n), key.hex());
  if (recovery_key_) {
    out.set_text("recovery.key", recovery_key_->hex());
    out.set("recovery.signing", secret_to_hex(recovery_signing_));
  }
  for (const auto& [agent, member] : subjects()) out.set(std::string(kSubject) + agent, secret_to_hex(member));
  out.set_text("frozen", frozen_ ? "1" : "0");
  if (granted_) out.set_text("granted", "1");
  out.set_text("journal_seq", std::to_string(journal_.sequence));
  out.set_text("journal_hash", journal_.hash.hex());
  for (const std::string& name : unknown_.names()) out.set(name, unknown_.find(name)->clone());
  return out;
}

Keyring Keyring::clone() const {
  Keyring out;
  out.vault_id_ = vault_id_;
  out.mode_ = mode_;
  out.umk_ = umk_.clone();
  for (const auto& entry : epochs_) out.epochs_.emplace(entry.first, entry.second.clone());
  for (const auto& [agent, subject] : subjects_)
    out.subjects_.emplace(agent, Subject{subject.period, subject.key.clone()});
  out.owner_keys_ = owner_keys_;
  if (recovery_key_) out.set_recovery(*recovery_key_, recovery_signing_.clone());
  out.frozen_ = frozen_;
  out.granted_ = granted_;
  out.journal_ = journal_;
  out.unknown_ = unknown_.clone();
  return out;
}

void Keyring::add_owner_key(const crypto::PublicKey& key) {
  if (std::find(owner_keys_.begin(), owner_keys_.end(), key) == owner_keys_.end()) owner_keys_.push_back(key);
}

void Keyring::remove_owner_key(const crypto::PublicKey& key) { std::erase(owner_keys_, key); }

void Keyring::set_recovery(const crypto::X25519PublicKey& key, SecretBytes signing) {
  recovery_key_ = key;
  recovery_signing_ = std::move(signing);
}

SecretBytes Keyring::subkey(std::string_view purpose) const {
  return crypto::hkdf_sha256(umk_, "popvault:" + std::string(purpose));
}

Result<SecretBytes> Keyring::record_key(std::uint32_t epoch, std::string_view record_id) const {
  const auto found = epochs_.find(epoch);
  if (found == epochs_.end()) return fail(Errc::state_corrupt, "a record names an epoch that is not live");
  return crypto::hkdf_sha256(found->second, "popvault:record:" + std::string(record_id));
}

Result<SecretBytes> Keyring::backup_key(std::uint32_t epoch) const {
  const auto found = epochs_.find(epoch);
  if (found == epochs_.end()) return fail(Errc::not_found, "epoch");
  return crypto::hkdf_sha256(found->second, "popvault:backup");
}

namespace {
SecretBytes next_period_key(const SecretBytes& key) { return crypto::hkdf_sha256(key, "popvault:subject:next"); }
}  // namespace

bool Keyring::begin_subject(std::string_view agent, std::uint32_t period) {
  if (subjects_.size() >= kMaxSubjects && !has_subject(agent)) return false;
  subjects_.insert_or_assign(std::string(agent), Subject{period, crypto::random_secret(kKeySize)});
  return true;
}

void Keyring::drop_subject(std::string_view agent) {
  if (const auto at = subjects_.find(agent); at != subjects_.end()) subjects_.erase(at);
}

std::optional<SecretBytes> Keyring::subject_key(std::string_view agent, std::uint32_t period) const {
  const auto at = subjects_.find(agent);
  if (at == subjects_.end() || period < at->second.period) return std::nullopt;
  SecretBytes key = at->second.key.clone();
  for (std::uint32_t n = at->second.period; n < period; ++n) key = next_period_key(key);
  return crypto::hkdf_sha256(key, "popvault:subject:payload");
}

std::uint32_t Keyring::subject_since(std::string_view agent) const {
  const auto at = subjects_.find(agent);
  return at == subjects_.end() ? 0 : at->second.period;
}

bool Keyring::forget_before(std::uint32_t period) {
  bool changed = false;
  for (auto& [agent, subject] : subjects_)
    for (; subject.period < period; ++subject.period, changed = true) subject.key = next_period_key(subject.key);
  return changed;
}

std::vector<std::pair<std::string, SecretBytes>> Keyring::subjects() const {
  std::vector<std::pair<std::string, SecretBytes>> out;
  for (const auto& [agent, subject] : subjects_) {
    SecretBytes member = SecretBytes::zeros(kPeriodSize + kKeySize);
    const auto bytes = member.reveal(SecretAccess{});
    for (std::size_t i = 0; i < kPeriodSize; ++i) bytes[i] = static_cast<std::uint8_t>(subject.period >> (24 - 8 * i));
    const auto key = std::as_const(subject.key).reveal(SecretAccess{});
    std::copy(key.begin(), key.end(), bytes.begin() + kPeriodSize);
    out.emplace_back(agent, std::move(member));
  }
  return out;
}

bool Keyring::put_subject(std::string_view agent, const SecretBytes& member) {
  if (member.size() != kPeriodSize + kKeySize || !valid_record_name(agent) || subjects_.size() >= kMaxSubjects) return false;
  ByteReader in(member.reveal(SecretAccess{}));
  const std::uint32_t period = *in.u32();
  subjects_.insert_or_assign(std::string(agent), Subject{period, SecretBytes::copy_of(*in.take(kKeySize))});
  return true;
}

std::vector<std::uint32_t> Keyring::epochs() const {
  std::vector<std::uint32_t> out;
  for (const auto& entry : epochs_) out.push_back(entry.first);
  return out;
}

std::uint32_t Keyring::begin_epoch() {
  if (current_epoch() == UINT32_MAX) std::abort();
  const std::uint32_t next = current_epoch() + 1;
  epochs_.emplace(next, crypto::random_secret(kKeySize));
  return next;
}

void Keyring::ensure_epoch(std::uint32_t epoch) {
  if (!has_epoch(epoch)) epochs_.emplace(epoch, crypto::random_secret(kKeySize));
}

bool Keyring::destroy_epoch(std::uint32_t epoch) {
  return epoch != current_epoch() && epochs_.erase(epoch) == 1;
}

}  // namespace popvault
