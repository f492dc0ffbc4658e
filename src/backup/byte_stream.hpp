// Bytes that come and go in pieces, for files that do not fit into memory.
//
// What passes may be secret: a caller of `write` and the memory given to `read` are then in secret memory,
// and whoever implements these for plaintext keeps no copy elsewhere. One thread at a time.
#pragma once

#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace popvault {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // All of it, or an error: then nothing more may be written.
  virtual Status write(ByteView data) = 0;
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // At least one byte unless `into` is empty or the end is reached (0).
  virtual Result<std::size_t> read(std::span<std::uint8_t> into) = 0;
};

// As many bytes as `into` has, fewer only at the end.
Result<std::size_t> read_full(ByteSource& from, std::span<std::uint8_t> into);

// A source whose beginning is text. For bytes that are no secret: the buffer is an ordinary one.
class TextSource final : public ByteSource {
 public:
  explicit TextSource(ByteSource& from) noexcept : from_(from) {}

  // The next line without its LF. Fails with backup_invalid when there is none or it is longer than `limit`.
  Result<std::string> line(std::size_t limit);
  Result<std::size_t> read(std::span<std::uint8_t> into) override;

 private:
  ByteSource& from_;
  Bytes buffer_;
  std::size_t at_ = 0;
};

}  // namespace popvault
