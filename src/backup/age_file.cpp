#include "backup/age_file.hpp"

#include <algorithm>
#include <cstring>

#include "crypto/bech32.hpp"
#include "crypto/digest.hpp"
#include "crypto/kdf.hpp"
#include "crypto/random.hpp"

namespace popvault {
namespace {

constexpr std::string_view kX25519 = "X25519";
constexpr std::string_view kX25519Info = "age-encryption.org/v1/X25519";
constexpr std::string_view kRecipientPrefix = "age";
constexpr std::string_view kIdentityPrefix = "AGE-SECRET-KEY-";
constexpr std::size_t kFileKeySize = 16;
constexpr std::size_t kNonceSize = 16;
constexpr std::size_t kSealedChunk = kAgeChunk + crypto::kChunkTagSize;

tl::unexpected<Error> bad(const char* what) { return fail(Errc::backup_invalid, what); }

SecretBytes wrapping_key(const SecretBytes& shared, const crypto::X25519PublicKey& share,
                         const crypto::X25519PublicKey& recipient) {
  Bytes salt(share.bytes.begin(), share.bytes.end());
  salt.insert(salt.end(), recipient.bytes.begin(), recipient.bytes.end());
  return crypto::hkdf_sha256_salted(shared, salt, as_bytes(kX25519Info), crypto::kX25519Size);
}

crypto::Digest header_mac(const SecretBytes& file_key, std::string_view text) {
  return crypto::hmac_sha256(crypto::hkdf_sha256(file_key, "header"), {as_bytes(text)});
}

SecretBytes payload_key(const SecretBytes& file_key, ByteView nonce) {
  return crypto::hkdf_sha256_salted(file_key, nonce, as_bytes("payload"), 32);
}

Result<AgeStanza> wrap_file_key(const SecretBytes& file_key, const crypto::X25519PublicKey& recipient) {
  const SecretBytes ephemeral = crypto::random_secret(crypto::kX25519Size);
  const crypto::X25519PublicKey share = crypto::x25519_public(ephemeral);
  PV_ASSIGN(const SecretBytes shared, crypto::x25519(ephemeral, recipient));
  return AgeStanza{{std::string(kX25519), to_bare_base64(share.bytes)},
                   crypto::wrap_once(wrapping_key(shared, share, recipient), file_key)};
}

// The share of an X25519 stanza whose form is right.
Result<crypto::X25519PublicKey> share_of(const AgeStanza& stanza) {
  if (stanza.words.size() != 2) return bad("an X25519 stanza has not one argument");
  const auto share = from_bare_base64(stanza.words[1]);
  crypto::X25519PublicKey out;
  if (!share || share->size() != out.bytes.size()) return bad("an X25519 share has not 32 bytes");
  if (stanza.body.size() != kFileKeySize + crypto::kChunkTagSize)
    return bad("a wrapped file key has not 32 bytes");
  std::copy(share->begin(), share->end(), out.bytes.begin());
  return out;
}

// The file key, or nothing when the stanza is for somebody else.
Result<SecretBytes> try_stanza(const AgeStanza& stanza, const crypto::X25519PublicKey& share,
                               const SecretBytes& identity) {
  const auto shared = crypto::x25519(identity, share);
  if (!shared) return bad("an X25519 share is of small order");
  const SecretBytes key = wrapping_key(*shared, share, crypto::x25519_public(identity));
  auto file_key = crypto::unwrap_once(key, stanza.body);
  return file_key ? std::move(*file_key) : SecretBytes();
}

// Looks at every stanza, so that a malformed one is refused also behind one that fits.
Result<SecretBytes> find_file_key(const AgeHeader& header, std::span<const SecretBytes* const> identities) {
  SecretBytes found;
  for (const AgeStanza& stanza : header.stanzas) {
    // A passphrase may not be mixed with other recipients: who knows it could pass for one of them.
    if (stanza.words[0] == "scrypt" && header.stanzas.size() > 1)
      return bad("a passphrase stands beside other recipients");
    if (stanza.words[0] != kX25519) continue;
    PV_ASSIGN(const crypto::X25519PublicKey share, share_of(stanza));
    for (const SecretBytes* identity : identities) {
      PV_ASSIGN(SecretBytes file_key, try_stanza(stanza, share, *identity));
      if (!file_key.empty() && found.empty()) found = std::move(file_key);
    }
  }
  if (found.empty()) return fail(Errc::backup_wrong_key);
  return found;
}

}  // namespace

Result<crypto::X25519PublicKey> parse_recipient(std::string_view text) {
  const auto bytes = crypto::bech32_read(kRecipientPrefix, text);
  crypto::X25519PublicKey out;
  if (!bytes || bytes->size() != out.bytes.size())
    return fail(Errc::invalid_field, "recipient is not an age1... key");
  std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
  return out;
}

Result<SecretBytes> parse_identity(const SecretBytes& text) {
  auto secret = crypto::bech32_secret_read(kIdentityPrefix, text);
  if (!secret || secret->size() != crypto::kX25519Size)
    return fail(Errc::invalid_field, "identity is not an AGE-SECRET-KEY-1... key");
  return secret;
}

AgeWriter::AgeWriter(ByteSink& file, crypto::ChunkCipher cipher)
    : file_(&file), cipher_(std::move(cipher)), chunk_(SecretBytes::zeros(kAgeChunk)) {}

Result<AgeWriter> AgeWriter::start(std::span<const crypto::X25519PublicKey> recipients, ByteSink& file) {
  if (recipients.empty() || recipients.size() > kMaxAgeStanzas)
    return fail(Errc::invalid_params, "a backup has 1 to 32 recipients");
  const SecretBytes file_key = crypto::random_secret(kFileKeySize);
  std::vector<AgeStanza> stanzas;
  for (const crypto::X25519PublicKey& recipient : recipients) {
    PV_ASSIGN(AgeStanza stanza, wrap_file_key(file_key, recipient));
    stanzas.push_back(std::move(stanza));
  }
  const std::string head = age_header_text(stanzas);
  PV_TRY(file.write(as_bytes(head + age_header_end(header_mac(file_key, head).bytes))));
  Bytes nonce(kNonceSize);
  crypto::fill_random(nonce);
  PV_TRY(file.write(nonce));
  return AgeWriter(file, crypto::ChunkCipher(payload_key(file_key, nonce)));
}

Status AgeWriter::put_chunk(bool last) {
  sealed_.resize(filled_ + crypto::kChunkTagSize);
  cipher_.seal(std::as_const(chunk_).reveal(SecretAccess{}).first(filled_), last, sealed_);
  filled_ = 0;
  return file_->write(sealed_);
}

// A full chunk waits for the next byte, because only then is it known not to be the last.
Status AgeWriter::write(ByteView plaintext) {
  while (!plaintext.empty()) {
    if (filled_ == kAgeChunk) PV_TRY(put_chunk(false));
    const std::size_t size = std::min(plaintext.size(), kAgeChunk - filled_);
    std::memcpy(chunk_.reveal(SecretAccess{}).data() + filled_, plaintext.data(), size);
    filled_ += size;
    plaintext = plaintext.subspan(size);
  }
  return {};
}

Status AgeWriter::finish() { return put_chunk(true); }

AgeReader::AgeReader(TextSource file, crypto::ChunkCipher cipher)
    : file_(std::move(file)),
      cipher_(std::move(cipher)),
      sealed_(kSealedChunk + 1),
      chunk_(SecretBytes::zeros(kAgeChunk)) {}

Result<AgeReader> AgeReader::open(ByteSource& file, std::span<const SecretBytes* const> identities) {
  TextSource text(file);
  PV_ASSIGN(const AgeHeader header, read_age_header(text));
  PV_ASSIGN(const SecretBytes file_key, find_file_key(header, identities));
  if (!equal_constant_time(header_mac(file_key, header.authenticated).bytes, header.mac))
    return bad("its head was changed");
  Bytes nonce(kNonceSize);
  PV_ASSIGN(const std::size_t size, read_full(text, nonce));
  if (size != nonce.size()) return bad("it is cut");
  return AgeReader(std::move(text), crypto::ChunkCipher(payload_key(file_key, nonce)));
}

// The byte behind a chunk tells whether it is the last.
Status AgeReader::next_chunk() {
  PV_ASSIGN(const std::size_t read, read_full(file_, std::span(sealed_).subspan(waiting_)));
  const std::size_t have = waiting_ + read;
  const bool last = have <= kSealedChunk;
  const std::size_t size = std::min(have, kSealedChunk);
  if (size < crypto::kChunkTagSize) return bad("it is cut");
  size_ = size - crypto::kChunkTagSize;
  at_ = 0;
  if (!cipher_.open(ByteView(sealed_).first(size), last, chunk_.reveal(SecretAccess{}).first(size_))) {
    size_ = 0;
    return bad("a piece of it was changed or cut");
  }
  if (size_ == 0 && cipher_.count() > 1) return bad("its last piece is empty");
  if (last) {
    state_ = State::ended;
  } else {
    sealed_[0] = sealed_[kSealedChunk];
    waiting_ = 1;
  }
  return {};
}

Result<std::size_t> AgeReader::read(std::span<std::uint8_t> into) {
  if (state_ == State::failed) return bad("it was refused before");
  while (at_ == size_ && state_ == State::chunks) {
    Status next = next_chunk();
    if (next) continue;
    state_ = State::failed;
    return tl::unexpected(std::move(next.error()));
  }
  const std::size_t size = std::min(into.size(), size_ - at_);
  if (size > 0) std::memcpy(into.data(), std::as_const(chunk_).reveal(SecretAccess{}).data() + at_, size);
  at_ += size;
  return size;
}

}  // namespace popvault
