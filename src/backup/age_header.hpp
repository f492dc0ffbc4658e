// The head of an age v1 file (age-encryption.org/v1): text that says for whom the file key is wrapped.
//
//   age-encryption.org/v1 LF
//   -> TYPE ARGUMENT ... LF              a stanza; words of 0x21 to 0x7e, one space between
//   base64 in lines of 64, the last one shorter, perhaps empty LF
//   --- base64(HMAC-SHA256) LF           over all before, with the "---"
//
// Base64 is RFC 4648 section 4, without padding and canonical. At most 64 KiB and 32 stanzas. Any thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "backup/byte_stream.hpp"

namespace popvault {

constexpr std::size_t kMaxAgeHeader = 64 * 1024;
constexpr std::size_t kMaxAgeStanzas = 32;

struct AgeStanza {
  std::vector<std::string> words;  // the type and its arguments
  Bytes body;
};

struct AgeHeader {
  std::vector<AgeStanza> stanzas;
  std::string authenticated;  // what the MAC is over
  Bytes mac;                  // 32 bytes
};

// Reads up to the LF after the MAC and checks the form alone. Fails with backup_invalid.
Result<AgeHeader> read_age_header(TextSource& from);
// The text that the MAC is over.
std::string age_header_text(const std::vector<AgeStanza>& stanzas);
// The last line: " ", the MAC, LF.
std::string age_header_end(ByteView mac);

// Canonical and without padding; anything else is none.
std::optional<Bytes> from_bare_base64(std::string_view text);
std::string to_bare_base64(ByteView data);

}  // namespace popvault
