#include "crypto/chunk_cipher.hpp"

#include <sodium.h>

#include <cstdlib>

#include "crypto/startup.hpp"
#include "secret/arena.hpp"

namespace popvault::crypto {
namespace {

static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == 32 &&
              crypto_aead_chacha20poly1305_ietf_NPUBBYTES == 12 &&
              crypto_aead_chacha20poly1305_ietf_ABYTES == kChunkTagSize);

constexpr std::size_t kStackUsed = 4096;
using Nonce = std::array<std::uint8_t, 12>;

void must(bool ok) {
  if (!ok) std::abort();
}

void encrypt(const SecretBytes& key, const Nonce& nonce, ByteView plaintext, std::span<std::uint8_t> out) {
  must(out.size() == plaintext.size() + kChunkTagSize);
  const int status = crypto_aead_chacha20poly1305_ietf_encrypt(
      out.data(), nullptr, plaintext.data(), plaintext.size(), nullptr, 0, nullptr, nonce.data(),
      key.reveal(SecretAccess{}).data());
  sodium_stackzero(kStackUsed);
  must(status == 0);
}

bool decrypt(const SecretBytes& key, const Nonce& nonce, ByteView sealed, std::span<std::uint8_t> out) {
  must(sealed.size() == out.size() + kChunkTagSize);
  // The library wants an address also for nothing.
  std::uint8_t nowhere = 0;
  const int status = crypto_aead_chacha20poly1305_ietf_decrypt(
      out.empty() ? &nowhere : out.data(), nullptr, nullptr, sealed.data(), sealed.size(), nullptr, 0,
      nonce.data(), key.reveal(SecretAccess{}).data());
  sodium_stackzero(kStackUsed);
  if (status != 0) wipe(out.data(), out.size());
  return status == 0;
}

}  // namespace

ChunkCipher::ChunkCipher(SecretBytes key) : key_(std::move(key)) {
  initialise();
  must(key_.size() == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
}

// The upper three of the eleven bytes stay zero: a u64 of chunks is more than any disk.
std::array<std::uint8_t, 12> ChunkCipher::nonce(bool last) const {
  Nonce out{};
  for (std::size_t i = 0; i < 8; ++i) out[10 - i] = static_cast<std::uint8_t>(counter_ >> (8 * i));
  out[11] = last ? 1 : 0;
  return out;
}

void ChunkCipher::seal(ByteView plaintext, bool last, std::span<std::uint8_t> out) {
  must(!ended_);
  encrypt(key_, nonce(last), plaintext, out);
  ++counter_;
  ended_ = last;
}

bool ChunkCipher::open(ByteView sealed, bool last, std::span<std::uint8_t> out) {
  if (ended_ || !decrypt(key_, nonce(last), sealed, out)) {
    wipe(out.data(), out.size());
    return false;
  }
  ++counter_;
  ended_ = last;
  return true;
}

Bytes wrap_once(const SecretBytes& key, const SecretBytes& message) {
  initialise();
  must(key.size() == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
  Bytes out(message.size() + kChunkTagSize);
  encrypt(key, Nonce{}, message.reveal(SecretAccess{}), out);
  return out;
}

Result<SecretBytes> unwrap_once(const SecretBytes& key, ByteView wrapped) {
  initialise();
  must(key.size() == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
  if (wrapped.size() < kChunkTagSize) return fail(Errc::wrong_key);
  SecretBytes out = SecretBytes::zeros(wrapped.size() - kChunkTagSize);
  if (!decrypt(key, Nonce{}, wrapped, out.reveal(SecretAccess{}))) return fail(Errc::wrong_key);
  return out;
}

}  // namespace popvault::crypto
