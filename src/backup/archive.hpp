// A plain POSIX ustar archive (POSIX.1-1988) of regular files, so that any tar program can unpack it.
//
// Each entry is a head of 512 bytes, the content, and zeros up to the next multiple of 512; two blocks of
// zeros end the archive and nothing follows. Every head has mode 0600, owner and group 0 without names, no
// prefix and no link. A name has 1 to 100 characters of [A-Za-z0-9_./-], parts that are not empty, "." or
// "..", and no slash at either end. At most 1 GiB an entry.
//
// A reader takes these bytes and no others: it makes each head again and compares. Content may be secret; it
// is passed through and not kept. One thread at a time.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "backup/byte_stream.hpp"
#include "crypto/digest.hpp"
#include "os/clock.hpp"

namespace popvault {

constexpr std::size_t kTarBlock = 512;
constexpr std::uint64_t kMaxEntry = 1024ULL * 1024 * 1024;
using TarHead = std::array<std::uint8_t, kTarBlock>;

struct TarEntry {
  std::string name;
  std::uint64_t size = 0;
  Seconds mtime = 0;  // 0 to 2^33 - 1
  bool operator==(const TarEntry&) const = default;
};

// Fails with invalid_params for a name, size or time that has no place in it.
Result<TarHead> tar_head(const TarEntry& entry);

class TarWriter {
 public:
  // `out` must outlive the writer.
  explicit TarWriter(ByteSink& out) noexcept : out_(&out) {}

  // Then exactly entry.size bytes and end(); another number of them is `internal`.
  Status begin(const TarEntry& entry);
  Status write(ByteView content);
  Status end();
  Status add(const std::string& name, ByteView content, Seconds mtime);
  Status finish();
  // SHA-256 of every byte so far.
  crypto::Digest so_far() const { return hash_.so_far(); }

 private:
  Status put(ByteView data);
  ByteSink* out_;
  crypto::Sha256 hash_;
  std::uint64_t left_ = 0;
  std::size_t padding_ = 0;
};

class TarReader {
 public:
  // `in` must outlive the reader.
  explicit TarReader(ByteSource& in) noexcept : in_(&in) {}

  // The next entry, after the content before it was read to its end; none at the end of the archive, where
  // `in` has ended too. Fails with backup_invalid.
  Result<std::optional<TarEntry>> next();
  // A piece of the content; 0 at its end.
  Result<std::size_t> read(std::span<std::uint8_t> into);
  // SHA-256 of every byte before this entry's head.
  const crypto::Digest& before_entry() const noexcept { return before_; }

 private:
  Status take(std::span<std::uint8_t> into);
  Status skip_padding();
  Status check_end();
  ByteSource* in_;
  crypto::Sha256 hash_;
  crypto::Digest before_;
  std::uint64_t left_ = 0;
  std::size_t padding_ = 0;
};

}  // namespace popvault
