// A journal as a file: JSON lines that anybody can check with the vault's public key (docs/JOURNAL_FORMAT.md). Pure.
//
// The first line is the head {"after", "format", "hash", "public_key", "vault"}: the rows follow row `after`, whose
// hash it gives. Then a line {"at", "body", "hash", "kind", "seq"} for each row; `body` is a string with the row's own
// bytes. Every line is canonical JSON and ends with LF. The last two rows are a `journal_exported` one and the
// checkpoint that covers it, so that a file whose end was cut off is only good where another export ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "journal/audit.hpp"

namespace popvault::journal {

constexpr std::string_view kExportFormat = "popvault-journal-1";
constexpr std::size_t kMaxExportLine = 256 * 1024;  // as in a backup
constexpr std::uint64_t kMaxExportRows = 10'000'000;

struct ExportHead {
  std::string vault;
  crypto::PublicKey public_key;
  Head from;  // the row before the first one
};

// Without their LF.
std::string head_line(const ExportHead& head);
std::string row_line(const Row& row);
// journal_broken for what row_line() does not give.
Result<Row> row_of_line(std::string_view line);

struct ExportSummary {
  ExportHead head;
  Audit audit;
  std::uint64_t rows = 0;
};

// Reads such a file piece by piece and believes only what the key's checkpoints cover. Every error names the line:
// journal_broken, checkpoint_invalid, or too_large for one that is over a limit.
class ExportReader {
 public:
  explicit ExportReader(const crypto::PublicKey& key) : key_(key) {}
  Status feed(std::string_view piece);
  Result<ExportSummary> finish();

 private:
  Status take(std::string_view line);
  Status take_head(std::string_view line);
  Status take_row(std::string_view line);
  tl::unexpected<Error> at_line(const Error& error) const;

  crypto::PublicKey key_;
  std::string rest_;         // of a line that has not ended
  std::uint64_t line_ = 0;   // the one that is read, from 1
  ExportHead head_;
  std::optional<Auditor> auditor_;
  std::uint64_t rows_ = 0;
  Kind last_{}, before_last_{};
};

}  // namespace popvault::journal
