// Backups as the daemon writes and reads them: one age file with one archive in it (docs/BACKUP_FORMAT.md).
//
// The entries, in this order: README.txt, records/<id>.json (record_entry.hpp), rows/<name>.jsonl,
// journal.jsonl, manifest.json, manifest.sig (manifest.hpp). A .jsonl entry is lines of JSON, each ended by
// LF, none empty, at most 256 KiB; what is in them is the caller's. Names are unique.
//
// The file's bytes go out and come in piece by piece, so a backup is as large as it likes to be; plaintext is
// in secret memory only. One thread at a time.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "backup/age_file.hpp"
#include "backup/archive.hpp"
#include "backup/manifest.hpp"
#include "backup/record_entry.hpp"

namespace popvault {

constexpr std::size_t kMaxBackupLine = 256 * 1024;
constexpr std::string_view kJournalEntry = "journal.jsonl";
constexpr std::string_view kSubjectsEntry = "rows/subjects.jsonl";  // keys of personal payloads: secret

// The fixed order of entries, for both directions.
class BackupOrder {
 public:
  enum class Part : std::uint8_t { begin, readme, records, rows, journal, manifest, signature };
  // The part of a name; none when there is no such entry.
  static std::optional<Part> part_of(std::string_view name);
  // False when an entry with this name may not stand next.
  bool accept(std::string_view name);
  Part now() const noexcept { return now_; }

 private:
  Part now_ = Part::begin;
  std::set<std::string, std::less<>> names_;
};

// Calls come in the order of the entries; one that does not is `internal`. After an error the file is of no
// use.
class BackupWriter {
 public:
  // `file` must outlive the writer. `now` is the time of every entry. 1 to 32 recipients (invalid_params).
  static Result<BackupWriter> start(ByteSink& file, std::span<const crypto::X25519PublicKey> recipients,
                                    Seconds now);
  Status add_readme();
  Status add_record(const RecordInfo& info, const SecretFields& fields);
  // "rows/<name>.jsonl" with a name of [a-z_], or "journal.jsonl".
  Status add_text(const std::string& name, ByteView lines);
  // The same in pieces, for what does not fit into memory: exactly `size` bytes, then end_text().
  Status begin_text(const std::string& name, std::uint64_t size);
  Status write_text(ByteView piece);
  Status end_text();
  // Fills in `created_at`, `records`, `sha256` and `signer`, signs, ends the file and gives the manifest
  // back.
  Result<Manifest> finish(Manifest manifest, const crypto::SigningKey& key);

 private:
  BackupWriter(AgeWriter age, Seconds now);
  Status add(const std::string& name, ByteView content);
  std::unique_ptr<AgeWriter> age_;  // the archive keeps its address
  TarWriter archive_;
  BackupOrder order_;
  Seconds now_;
  std::int64_t records_ = 0;
};

// What a backup holds, as it is read. It is data of an unknown signer until read_backup() has given its
// manifest: so look only, or stage what comes, or read twice. An error ends the reading and is its result.
class BackupVisitor {
 public:
  virtual ~BackupVisitor() = default;
  virtual Status record(const RecordInfo& info, SecretFields fields) = 0;
  // A line without its LF, valid during the call.
  virtual Status text_line(std::string_view name, std::string_view line) = 0;
};

// Looks at nothing: for `verify`.
class IgnoringVisitor final : public BackupVisitor {
 public:
  Status record(const RecordInfo&, SecretFields) override { return {}; }
  Status text_line(std::string_view, std::string_view) override { return {}; }
};

// Reads to the end and checks everything but one thing: whether manifest.signer may be trusted is the
// caller's question (backup_foreign). Identities are X25519 secrets of 32 bytes. Fails with backup_wrong_key
// when none fits, backup_invalid for a file that is not whole or not of this form, newer_version, and with
// what the source and the visitor fail with.
Result<Manifest> read_backup(ByteSource& file, std::span<const SecretBytes* const> identities,
                             BackupVisitor& visitor);

}  // namespace popvault
