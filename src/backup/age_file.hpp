// age v1 files (age-encryption.org/v1) for X25519 recipients: what the stock `age` program writes and reads.
//
//   head (age_header.hpp)    nonce (16 bytes)    chunks of 64 KiB, each with a tag of 16 bytes
//
// file key: 16 random bytes; wrapped once for each recipient:
//   -> X25519 base64(ephemeral share)     body: ChaCha20-Poly1305(HKDF-SHA256(shared secret,
//      salt = share || recipient, info = "age-encryption.org/v1/X25519"), file key), nonce zero
// head's MAC key: HKDF(file key, info = "header"); chunks: STREAM under HKDF(file key, salt = nonce,
// "payload").
//
// A reader refuses everything that the specification does not allow. Stanzas of other types are skipped.
// Plaintext lives in secret memory only, and a chunk is given out only after its tag was checked; that the
// file is whole is known when `read` has given 0. One thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "backup/age_header.hpp"
#include "crypto/chunk_cipher.hpp"
#include "crypto/x25519.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault {

constexpr std::size_t kAgeChunk = 64 * 1024;

// The readers of what vault/recovery.hpp writes: "age1..." and "AGE-SECRET-KEY-1...". Fail with
// invalid_field.
Result<crypto::X25519PublicKey> parse_recipient(std::string_view text);
Result<SecretBytes> parse_identity(const SecretBytes& text);

// What is written comes out encrypted at `file`, which must outlive the writer. Not whole before finish().
class AgeWriter final : public ByteSink {
 public:
  // 1 to 32 recipients (invalid_params). Writes the head.
  static Result<AgeWriter> start(std::span<const crypto::X25519PublicKey> recipients, ByteSink& file);
  Status write(ByteView plaintext) override;
  // The last chunk. Nothing may be written after it.
  Status finish();

 private:
  AgeWriter(ByteSink& file, crypto::ChunkCipher cipher);
  Status put_chunk(bool last);
  ByteSink* file_;
  crypto::ChunkCipher cipher_;
  SecretBytes chunk_;
  std::size_t filled_ = 0;
  Bytes sealed_;
};

// The plaintext of `file`, which must outlive the reader; `into` of read() is secret memory of the caller.
class AgeReader final : public ByteSource {
 public:
  // Fails with backup_wrong_key when no identity (32 bytes each) fits, with backup_invalid for any other
  // form.
  static Result<AgeReader> open(ByteSource& file, std::span<const SecretBytes* const> identities);
  // After an error every further call fails.
  Result<std::size_t> read(std::span<std::uint8_t> into) override;

 private:
  AgeReader(TextSource file, crypto::ChunkCipher cipher);
  Status next_chunk();
  TextSource file_;
  crypto::ChunkCipher cipher_;
  Bytes sealed_;             // room for one chunk and the byte behind it
  std::size_t waiting_ = 0;  // bytes of the next chunk that are in sealed_ already
  SecretBytes chunk_;
  std::size_t at_ = 0, size_ = 0;
  enum class State : std::uint8_t { chunks, ended, failed } state_ = State::chunks;
};

}  // namespace popvault
