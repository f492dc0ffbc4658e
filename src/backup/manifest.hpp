// What a backup says about itself: its last two entries.
//
// manifest.json is canonical JSON (sorted members, no spaces):
//   {"counter":N,"created_at":"2026-11-22T05:31:00Z","format":1,"journal":{"hash":HEX,"seq":N},
//    "popvault":VERSION,"records":N,"sha256":HEX,"signer":HEX,"vault":"vlt_..."}
// sha256 is over every byte of the archive before this entry's head. manifest.sig is the hex of the Ed25519
// signature by `signer` over "popvault-backup-v1" LF and the bytes of manifest.json. Whether the signer is to
// be trusted is the caller's question. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/digest.hpp"
#include "crypto/sign.hpp"
#include "os/clock.hpp"

namespace popvault {

constexpr std::int64_t kBackupFormat = 1;
constexpr std::int64_t kMaxBackupCounter = std::int64_t{1} << 53;  // what every JSON reader can hold
constexpr std::size_t kMaxManifest = 4096;
constexpr std::size_t kManifestSignature = 128;  // hex digits

struct Manifest {
  std::int64_t counter = 0;  // 1 or more; higher is newer
  Seconds created_at = 0;
  std::int64_t journal_seq = 0;  // 0: empty
  crypto::Digest journal_hash;
  std::string popvault;  // version
  std::int64_t records = 0;
  crypto::Digest sha256;
  crypto::PublicKey signer;
  std::string vault;
  bool operator==(const Manifest&) const = default;
};

std::string manifest_text(const Manifest& manifest);
// Fails with newer_version for a higher format, with backup_invalid for any other form but the canonical one.
Result<Manifest> parse_manifest(std::string_view text);

std::string sign_manifest(std::string_view text, const crypto::SigningKey& key);
// Fails with backup_invalid when `signature` is not that of `signer` over `text`.
Status check_manifest_signature(std::string_view text, std::string_view signature,
                                const crypto::PublicKey& signer);

// The seconds of a text that rfc3339() makes; anything else is none.
std::optional<Seconds> parse_rfc3339(std::string_view text);

}  // namespace popvault
