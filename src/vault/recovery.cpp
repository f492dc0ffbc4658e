#include "vault/recovery.hpp"

#include <algorithm>

#include "crypto/aead.hpp"
#include "crypto/bech32.hpp"
#include "crypto/bip39.hpp"
#include "crypto/digest.hpp"
#include "crypto/kdf.hpp"
#include "crypto/random.hpp"

namespace popvault {
namespace {

constexpr std::string_view kMagic = "PVSLOT1\n";
constexpr std::string_view kInfo = "popvault:recovery-slot";
constexpr std::size_t kVaultKey = 32;
constexpr std::size_t kSealed = kVaultKey + crypto::kAeadOverhead;
constexpr std::size_t kEntry = crypto::kX25519Size + kSealed;
constexpr std::size_t kDigest = 32;

std::string associated_data(std::string_view vault_id) {
  return std::string(kInfo) + ":" + std::string(vault_id);
}

Result<SecretBytes> sealing_key(const SecretBytes& ours, const crypto::X25519PublicKey& theirs,
                                const crypto::X25519PublicKey& ephemeral,
                                const crypto::X25519PublicKey& recipient) {
  PV_ASSIGN(const SecretBytes shared, crypto::x25519(ours, theirs));
  ByteWriter salt;
  salt.raw(ephemeral.bytes).raw(recipient.bytes);
  return crypto::hkdf_sha256_salted(shared, salt.bytes(), as_bytes(kInfo), kVaultKey);
}

// What is between the magic and the digest, when both are right.
Result<ByteView> entries_of(ByteView slot) {
  const std::size_t around = kMagic.size() + kDigest;
  const std::size_t inside = slot.size() < around ? 0 : slot.size() - around;
  const std::size_t count = inside / kEntry;
  if (count < 1 || count > kMaxSlotKeys || inside != count * kEntry)
    return fail(Errc::slot_damaged, "it does not have the size of a slot");
  const ByteView body = slot.first(slot.size() - kDigest);
  if (!as_text(body).starts_with(kMagic)) return fail(Errc::slot_damaged, "it does not begin as a slot does");
  const crypto::Digest digest = crypto::sha256(body);
  if (!std::equal(digest.bytes.begin(), digest.bytes.end(), slot.last(kDigest).begin()))
    return fail(Errc::slot_damaged, "its digest does not fit");
  return body.subspan(kMagic.size());
}

Result<SecretBytes> open_entry(const SecretBytes& secret, std::string_view vault_id, ByteView entry) {
  crypto::X25519PublicKey ephemeral;
  std::copy_n(entry.begin(), ephemeral.bytes.size(), ephemeral.bytes.begin());
  const auto key = sealing_key(secret, ephemeral, ephemeral, crypto::x25519_public(secret));
  if (!key) return fail(Errc::slot_damaged, "a key in it is no key");
  return crypto::open(*key, entry.subspan(crypto::kX25519Size), as_bytes(associated_data(vault_id)));
}

}  // namespace

RecoveryKeys recovery_keys(const SecretBytes& words) {
  const SecretBytes seed = crypto::bip39_seed(words);
  return {crypto::hkdf_sha256(seed, "popvault:recovery:x25519"),
          crypto::hkdf_sha256(seed, "popvault:recovery:signing")};
}

std::string age_recipient(const crypto::X25519PublicKey& key) { return crypto::bech32("age", key.bytes); }

SecretBytes age_identity(const SecretBytes& x25519_secret) {
  return crypto::bech32_secret("AGE-SECRET-KEY-", x25519_secret);
}

Result<Bytes> seal_slot(const crypto::X25519PublicKey& to, std::string_view vault_id,
                        std::span<const SecretBytes* const> vault_keys) {
  if (vault_keys.empty() || vault_keys.size() > kMaxSlotKeys) return fail(Errc::internal, "keys of a slot");
  ByteWriter out;
  out.raw(as_bytes(kMagic));
  for (const SecretBytes* const vault_key : vault_keys) {
    if (vault_key->size() != kVaultKey) return fail(Errc::internal, "a vault key's size");
    const SecretBytes secret = crypto::random_secret(crypto::kX25519Size);
    const crypto::X25519PublicKey ephemeral = crypto::x25519_public(secret);
    PV_ASSIGN(const SecretBytes key, sealing_key(secret, to, ephemeral, to));
    PV_ASSIGN(const Bytes sealed,
              crypto::seal(key, vault_key->reveal(SecretAccess{}), as_bytes(associated_data(vault_id))));
    out.raw(ephemeral.bytes).raw(sealed);
  }
  const crypto::Digest digest = crypto::sha256(out.bytes());
  out.raw(digest.bytes);
  return out.bytes();
}

Result<std::vector<SecretBytes>> open_slot(const SecretBytes& x25519_secret, std::string_view vault_id,
                                           ByteView slot) {
  PV_ASSIGN(ByteView rest, entries_of(slot));
  std::vector<SecretBytes> out;
  while (!rest.empty()) {
    auto vault_key = open_entry(x25519_secret, vault_id, rest.first(kEntry));
    rest = rest.subspan(kEntry);
    if (vault_key) {
      out.push_back(std::move(*vault_key));
    } else if (vault_key.error().code != Errc::wrong_key) {
      return tl::unexpected(std::move(vault_key.error()));
    } else {
      // Our words open either all of them or none.
      return out.empty() ? fail(Errc::words_wrong) : fail(Errc::slot_damaged, "one key in it does not open");
    }
  }
  return out;
}

}  // namespace popvault
