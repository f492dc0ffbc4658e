// ChaCha20-Poly1305 (RFC 8439) for the two uses that the age format makes of it.
//
// Every key here is used for one thing only: a ChunkCipher's for one stream, a wrapping key for one message.
// So the nonces are counters and zeros made inside; there is no nonce argument. Keys have 32 bytes, anything
// else aborts. Nothing touches the ordinary heap. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::crypto {

constexpr std::size_t kChunkTagSize = 16;

// STREAM (Hoang, Reyhanitabar, Rogaway, Vizar, 2015): nonce = u88 counter || u8 1 for the last chunk, else 0.
// One object seals or opens one stream, from its first chunk to its last.
class ChunkCipher {
 public:
  explicit ChunkCipher(SecretBytes key);

  // `out` has plaintext.size() + 16 bytes, another size aborts, as does a chunk after the last.
  void seal(ByteView plaintext, bool last, std::span<std::uint8_t> out);
  // `out` has sealed.size() - 16 bytes. False when it is not the next chunk of this stream, or not the last
  // one (or the last one): `out` is wiped then, and the stream stays where it is.
  bool open(ByteView sealed, bool last, std::span<std::uint8_t> out);
  // How many chunks went through.
  std::uint64_t count() const noexcept { return counter_; }

 private:
  std::array<std::uint8_t, 12> nonce(bool last) const;
  SecretBytes key_;
  std::uint64_t counter_ = 0;
  bool ended_ = false;
};

// One message under a key that is used for no other: nonce zero, no associated data.
Bytes wrap_once(const SecretBytes& key, const SecretBytes& message);
// Fails with wrong_key.
Result<SecretBytes> unwrap_once(const SecretBytes& key, ByteView wrapped);

}  // namespace popvault::crypto
