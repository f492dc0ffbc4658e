#include "crypto/kdf.hpp"

#include <libscrypt.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "crypto/digest.hpp"
#include "crypto/startup.hpp"
#include "secret/arena.hpp"

namespace popvault::crypto {
namespace {

// libscrypt's last PBKDF2 block, which is the key itself, stays in its stack frame.
constexpr std::size_t kStackUsed = 16 * 1024;

// An empty span may have no address, which some libraries take for an error.
const std::uint8_t* address(ByteView v) {
  static constexpr std::uint8_t kNothing = 0;
  return v.empty() ? &kNothing : v.data();
}

Result<SecretBytes> pbkdf2_hmac(const EVP_MD* hash, const SecretBytes& password, ByteView salt,
                                std::uint32_t iterations, std::size_t size) {
  initialise();
  SecretBytes out = SecretBytes::zeros(size);
  const ByteView secret = password.reveal(SecretAccess{});
  const bool fits = secret.size() <= INT_MAX && salt.size() <= INT_MAX && size <= INT_MAX &&
                    iterations <= static_cast<std::uint32_t>(INT_MAX);
  if (!fits) return fail(Errc::internal, "deriving a key with PBKDF2");
  const int ok =
      PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(address(secret)), static_cast<int>(secret.size()),
                        address(salt), static_cast<int>(salt.size()), static_cast<int>(iterations), hash,
                        static_cast<int>(size), out.reveal(SecretAccess{}).data());
  sodium_stackzero(kStackUsed);
  if (ok != 1) return fail(Errc::internal, "deriving a key with PBKDF2");
  return out;
}

}  // namespace

Result<SecretBytes> scrypt(const SecretBytes& password, ByteView salt, ScryptCost cost, std::size_t size) {
  initialise();
  SecretBytes out = SecretBytes::zeros(size);
  const ByteView secret = password.reveal(SecretAccess{});
  errno = 0;
  const int status = libscrypt_scrypt(address(secret), secret.size(), address(salt), salt.size(), cost.n,
                                      cost.r, cost.p, out.reveal(SecretAccess{}).data(), size);
  const int error = errno;
  sodium_stackzero(kStackUsed);
  if (status != 0) return fail_errno(error != 0 ? error : EINVAL, "deriving a key with scrypt");
  return out;
}

Result<SecretBytes> pbkdf2(const SecretBytes& password, ByteView salt, std::uint32_t iterations,
                           std::size_t size) {
  return pbkdf2_hmac(EVP_sha256(), password, salt, iterations, size);
}

Result<SecretBytes> pbkdf2_sha512(const SecretBytes& password, ByteView salt, std::uint32_t iterations,
                                  std::size_t size) {
  return pbkdf2_hmac(EVP_sha512(), password, salt, iterations, size);
}

Result<SecretBytes> scrypt_machine_key(ByteView machine_id, std::string_view username, ByteView salt) {
  SecretBytes password = SecretBytes::zeros(machine_id.size() + 1 + username.size());
  std::uint8_t* at = password.reveal(SecretAccess{}).data();
  at = std::copy(machine_id.begin(), machine_id.end(), at);
  *at++ = ':';
  std::copy(username.begin(), username.end(), at);
  return scrypt(password, salt, kMachineCost, 32);
}

Result<SecretBytes> pbkdf2_passphrase_key(const SecretBytes& passphrase, ByteView machine_id) {
  return pbkdf2(passphrase, machine_id, kPassphraseIterations, 32);
}

SecretBytes hkdf_sha256_salted(const SecretBytes& key, ByteView salt, ByteView info, std::size_t size) {
  if (size > 255 * 32) std::abort();
  const SecretBytes salt_key = SecretBytes::copy_of(salt);
  Digest block = hmac_sha256(salt_key, {key.reveal(SecretAccess{})});
  const SecretBytes prk = SecretBytes::copy_of(block.bytes);
  SecretBytes out = SecretBytes::zeros(size);
  const std::span<std::uint8_t> into = out.reveal(SecretAccess{});
  std::uint8_t counter = 0;
  for (std::size_t done = 0; done < size; done += block.bytes.size()) {
    ++counter;
    const ByteView previous = counter == 1 ? ByteView{} : ByteView(block.bytes);
    block = hmac_sha256(prk, {previous, info, ByteView(&counter, 1)});
    std::memcpy(into.data() + done, block.bytes.data(), std::min(block.bytes.size(), size - done));
  }
  wipe(block.bytes.data(), block.bytes.size());
  sodium_stackzero(kStackUsed);
  return out;
}

SecretBytes hkdf_sha256(const SecretBytes& key, std::string_view info, std::size_t size) {
  static constexpr std::uint8_t kZeros[32] = {};
  return hkdf_sha256_salted(key, kZeros, as_bytes(info), size);
}

}  // namespace popvault::crypto
