#include "journal/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace popvault::journal {
namespace {

constexpr std::size_t kMembers = 5;

template <std::size_t N>
bool read_hex(std::string_view text, std::array<std::uint8_t, N>& out) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != N || to_hex(*bytes) != text) return false;  // one form only
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

}  // namespace

Bytes checkpoint_bytes(std::string_view vault, const Head& head, std::int64_t at) {
  ByteWriter out;
  out.raw(as_bytes("PVCP1")).text(vault).u64(head.seq).u64(static_cast<std::uint64_t>(at)).raw(head.hash.bytes);
  return out.bytes();
}

Checkpoint sign_checkpoint(const SecretBytes& seed, std::string_view vault, const Head& head, std::int64_t at) {
  const auto key = crypto::SigningKey::from_seed(seed);
  return {head, at, key.public_key(), key.sign(checkpoint_bytes(vault, head, at))};
}

Status verify_checkpoint(const crypto::PublicKey& key, std::string_view vault, const Checkpoint& checkpoint) {
  const auto wrong = [&](std::string_view what) {
    return fail(Errc::checkpoint_invalid, "of row " + std::to_string(checkpoint.head.seq) + ": " + std::string(what));
  };
  if (!(checkpoint.public_key == key)) return wrong("it is of another key");
  if (!crypto::verify(key, checkpoint_bytes(vault, checkpoint.head, checkpoint.at), checkpoint.signature))
    return wrong("its signature is wrong");
  return {};
}

Json to_json(const Checkpoint& checkpoint) {
  Json out;
  out.set("at", checkpoint.at);
  out.set("hash", checkpoint.head.hash.hex());
  out.set("public_key", checkpoint.public_key.hex());
  out.set("seq", static_cast<std::int64_t>(checkpoint.head.seq));
  out.set("signature", checkpoint.signature.hex());
  return out;
}

Result<Checkpoint> checkpoint_from_json(const Json& json) {
  Checkpoint out;
  out.at = json["at"].int_or(-1);
  const std::int64_t seq = json["seq"].int_or(-1);
  out.head.seq = static_cast<std::uint64_t>(seq);
  const bool whole = json.object() != nullptr && json.object()->size() == kMembers && out.at >= 0 && seq >= 0 &&
                     read_hex(json["hash"].text_or(""), out.head.hash.bytes) &&
                     read_hex(json["public_key"].text_or(""), out.public_key.bytes) &&
                     read_hex(json["signature"].text_or(""), out.signature.bytes);
  if (!whole) return fail(Errc::checkpoint_invalid, "a member is missing or malformed");
  return out;
}

std::optional<crypto::PublicKey> public_key_of(std::string_view hex) {
  crypto::PublicKey out;
  if (!read_hex(hex, out.bytes)) return std::nullopt;
  return out;
}

}  // namespace popvault::journal
