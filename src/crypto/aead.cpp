#include "crypto/aead.hpp"

#include <openssl/evp.h>

#include <climits>
#include <memory>

#include "crypto/random.hpp"
#include "crypto/startup.hpp"
#include "secret/arena.hpp"

namespace popvault::crypto {
namespace {

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

enum class Direction : int { decrypt = 0, encrypt = 1 };

// EVP takes sizes as int.
bool fits(std::size_t size) { return size <= static_cast<std::size_t>(INT_MAX) - kAeadOverhead; }

Context start(const SecretBytes& key, ByteView nonce, ByteView associated, Direction direction) {
  initialise();
  Context ctx(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int written = 0;
  const bool ok = ctx != nullptr && key.size() == kAeadKeySize && fits(associated.size()) &&
                  EVP_CipherInit_ex(ctx.get(), EVP_aes_256_gcm(), nullptr, key.reveal(SecretAccess{}).data(),
                                    nonce.data(), static_cast<int>(direction)) == 1 &&
                  (associated.empty() || EVP_CipherUpdate(ctx.get(), nullptr, &written, associated.data(),
                                                          static_cast<int>(associated.size())) == 1);
  if (!ok) ctx.reset();
  return ctx;
}

bool run(EVP_CIPHER_CTX* ctx, ByteView in, std::uint8_t* out) {
  int written = 0;
  if (in.empty()) return true;
  return EVP_CipherUpdate(ctx, out, &written, in.data(), static_cast<int>(in.size())) == 1 &&
         written == static_cast<int>(in.size());
}

// GCM writes nothing at the end; the call makes or compares the tag.
bool finish(EVP_CIPHER_CTX* ctx) {
  int written = 0;
  std::uint8_t unused[16];
  return EVP_CipherFinal_ex(ctx, unused, &written) == 1;
}

}  // namespace

Result<Bytes> seal(const SecretBytes& key, ByteView plaintext, ByteView associated) {
  if (!fits(plaintext.size())) return fail(Errc::internal, "sealing");
  Bytes out(kAeadOverhead + plaintext.size());
  fill_random(std::span(out).first(kAeadNonceSize));
  const Context ctx = start(key, ByteView(out).first(kAeadNonceSize), associated, Direction::encrypt);
  std::uint8_t* const tag = out.data() + kAeadNonceSize + plaintext.size();
  if (!ctx || !run(ctx.get(), plaintext, out.data() + kAeadNonceSize) || !finish(ctx.get()) ||
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kAeadTagSize), tag) != 1) {
    return fail(Errc::internal, "sealing");
  }
  return out;
}

Result<std::size_t> open_into(const SecretBytes& key, ByteView sealed, ByteView associated,
                              std::span<std::uint8_t> out) {
  const auto refuse = [&](Errc code, const char* detail) {
    wipe(out.data(), out.size());
    return fail(code, detail);
  };
  if (sealed.size() < kAeadOverhead) return refuse(Errc::vault_corrupt, "it has under 28 bytes");
  const std::size_t size = sealed.size() - kAeadOverhead;
  if (out.size() < size || !fits(size)) return refuse(Errc::internal, "opening");
  const ByteView tag = sealed.last(kAeadTagSize);
  Context ctx = start(key, sealed.first(kAeadNonceSize), associated, Direction::decrypt);
  if (!ctx || !run(ctx.get(), sealed.subspan(kAeadNonceSize, size), out.data()) ||
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kAeadTagSize),
                          const_cast<std::uint8_t*>(tag.data())) != 1) {
    return refuse(Errc::internal, "opening");
  }
  if (!finish(ctx.get())) return refuse(Errc::wrong_key, "");
  return size;
}

Result<SecretBytes> open(const SecretBytes& key, ByteView sealed, ByteView associated) {
  if (sealed.size() < kAeadOverhead) return fail(Errc::vault_corrupt, "it has under 28 bytes");
  SecretBytes out = SecretBytes::zeros(sealed.size() - kAeadOverhead);
  PV_TRY(open_into(key, sealed, associated, out.reveal(SecretAccess{})));
  return out;
}

}  // namespace popvault::crypto
