// Checkpoints: a head of the journal, signed. Pure.
//
// Ed25519 (seed: the master key's subkey "journal") over "PVCP1" || u16 size || vault id || u64 seq || u64 at ||
// hash of row seq, integers big-endian. As JSON: {"at": N, "hash": hex, "public_key": hex, "seq": N,
// "signature": hex}, which is also the body of a `checkpoint` row; that row is row seq + 1 and of the same time.
// docs/JOURNAL_FORMAT.md has a worked example. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "crypto/sign.hpp"
#include "journal/chain.hpp"
#include "rpc/json.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault::journal {

struct Checkpoint {
  Head head;            // seq 0 and a zero hash: of an empty journal
  std::int64_t at = 0;  // seconds since 1970
  crypto::PublicKey public_key;
  crypto::Signature signature;
  bool operator==(const Checkpoint&) const = default;
};

// What is signed.
Bytes checkpoint_bytes(std::string_view vault, const Head& head, std::int64_t at);
// A seed has 32 bytes.
Checkpoint sign_checkpoint(const SecretBytes& seed, std::string_view vault, const Head& head, std::int64_t at);
// checkpoint_invalid when it names another key than this one or the signature is wrong.
Status verify_checkpoint(const crypto::PublicKey& key, std::string_view vault, const Checkpoint& checkpoint);

Json to_json(const Checkpoint& checkpoint);
// checkpoint_invalid unless it has exactly the five members, each of its form.
Result<Checkpoint> checkpoint_from_json(const Json& json);

// The key that a text of 64 hex digits gives.
std::optional<crypto::PublicKey> public_key_of(std::string_view hex);

}  // namespace popvault::journal
