#include "backup/backup.hpp"

#include <algorithm>

namespace popvault {
namespace {

using Part = BackupOrder::Part;

constexpr std::string_view kReadmeEntry = "README.txt";
constexpr std::string_view kManifestEntry = "manifest.json";
constexpr std::string_view kSignatureEntry = "manifest.sig";
constexpr std::string_view kRecords = "records/";
constexpr std::string_view kRecordEnd = ".json";
constexpr std::string_view kRows = "rows/";
constexpr std::string_view kRowsEnd = ".jsonl";

constexpr std::string_view kReadme =
    "This is a backup of a popvault vault. Keep it encrypted: its records are in plain text here.\n"
    "\n"
    "  popvault backup verify FILE      checks it\n"
    "  popvault backup restore FILE     makes a vault of it in an empty home\n"
    "\n"
    "Without popvault, with the programs age and tar (on Linux, unpack into memory: cd /dev/shm):\n"
    "\n"
    "  age --decrypt --identity KEYFILE FILE | tar --extract\n"
    "\n"
    "KEYFILE holds a line AGE-SECRET-KEY-1...; popvault recovery identity makes it of the 24 recovery "
    "words.\n"
    "\n"
    "  records/ID.json     one record each: id, kind, label, and its values as field.NAME (hex.NAME: in "
    "hex)\n"
    "  rows/*.jsonl        agents, policies, settings, purchases, one JSON object a line\n"
    "  journal.jsonl       what happened, one row a line\n"
    "  manifest.json       the backup's number and time, and the SHA-256 of all that stands before it\n"
    "  manifest.sig        its Ed25519 signature over \"popvault-backup-v1\", a line feed and "
    "manifest.json\n";

tl::unexpected<Error> bad(const char* what) { return fail(Errc::backup_invalid, what); }
tl::unexpected<Error> out_of_order() {
  return fail(Errc::internal, "an entry of the backup is out of order");
}

bool is_rows_name(std::string_view name) {
  if (!name.starts_with(kRows) || !name.ends_with(kRowsEnd)) return false;
  name.remove_prefix(kRows.size());
  if (name.size() <= kRowsEnd.size()) return false;
  name.remove_suffix(kRowsEnd.size());
  return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// Reads the entries of one archive in their order and hands them on.
class Reader {
 public:
  Reader(ByteSource& archive, BackupVisitor& visitor) : archive_(archive), visitor_(visitor) {}

  Result<Manifest> run() {
    while (true) {
      PV_ASSIGN(const std::optional<TarEntry> entry, archive_.next());
      if (!entry) break;
      if (!order_.accept(entry->name)) return bad("it has an entry that does not belong there");
      PV_TRY(take(*entry));
    }
    if (order_.now() != Part::signature) return bad("it ends too early");
    if (manifest_.records != records_) return bad("it has not as many records as its manifest says");
    return std::move(manifest_);
  }

 private:
  Status take(const TarEntry& entry) {
    switch (order_.now()) {
      case Part::begin:
        return bad("it is empty");
      case Part::readme:
        return skip_readme(entry);
      case Part::records:
        return take_record(entry);
      case Part::rows:
      case Part::journal:
        return take_lines(entry);
      case Part::manifest:
        return take_manifest(entry);
      case Part::signature:
        return take_signature(entry);
    }
    return out_of_order();
  }

  // The whole of an entry that is at most `limit` long.
  Result<SecretBytes> whole(const TarEntry& entry, std::size_t limit) {
    if (entry.size > limit) return bad("an entry is too long");
    SecretBytes out = SecretBytes::zeros(static_cast<std::size_t>(entry.size));
    for (std::size_t at = 0; at < out.size();) {
      PV_ASSIGN(const std::size_t n, archive_.read(out.reveal(SecretAccess{}).subspan(at)));
      at += n;
    }
    return out;
  }
  // The same for what is no secret.
  Result<std::string> whole_text(const TarEntry& entry, std::size_t limit) {
    PV_ASSIGN(const SecretBytes bytes, whole(entry, limit));
    return std::string(as_text(bytes.reveal(SecretAccess{})));
  }

  // Another version may say it in other words; they are under the digest as all else is.
  Status skip_readme(const TarEntry& entry) {
    PV_TRY(whole(entry, kMaxManifest));
    return {};
  }

  Status take_record(const TarEntry& entry) {
    PV_ASSIGN(const SecretBytes text, whole(entry, kMaxRecordEntry));
    PV_ASSIGN(BackupRecord record, parse_record_entry(entry.name, text));
    ++records_;
    return visitor_.record(record.info, std::move(record.fields));
  }

  Status take_lines(const TarEntry& entry) {
    if (line_.empty()) line_ = SecretBytes::zeros(kMaxBackupLine);
    std::size_t filled = 0;
    while (true) {
      PV_ASSIGN(const std::size_t n, archive_.read(line_.reveal(SecretAccess{}).subspan(filled)));
      if (n == 0) break;
      filled += n;
      PV_ASSIGN(filled, hand_on_lines(entry.name, filled));
      if (filled == line_.size()) return bad("a line is too long");
    }
    return filled == 0 ? Status() : Status(bad("a line does not end"));
  }

  // Gives the whole lines away, moves the rest to the front and says how long it is.
  Result<std::size_t> hand_on_lines(std::string_view name, std::size_t filled) {
    const std::span<std::uint8_t> buffer = line_.reveal(SecretAccess{});
    const std::string_view text = as_text(ByteView(buffer.first(filled)));
    std::size_t at = 0;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', at)) {
      if (end == at) return bad("a line is empty");
      PV_TRY(visitor_.text_line(name, text.substr(at, end - at)));
      at = end + 1;
    }
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(at),
              buffer.begin() + static_cast<std::ptrdiff_t>(filled), buffer.begin());
    return filled - at;
  }

  Status take_manifest(const TarEntry& entry) {
    PV_ASSIGN(manifest_text_, whole_text(entry, kMaxManifest));
    PV_ASSIGN(manifest_, parse_manifest(manifest_text_));
    if (manifest_.sha256 != archive_.before_entry()) return bad("its content is not what its manifest says");
    return {};
  }

  Status take_signature(const TarEntry& entry) {
    PV_ASSIGN(const std::string signature, whole_text(entry, kManifestSignature));
    return check_manifest_signature(manifest_text_, signature, manifest_.signer);
  }

  TarReader archive_;
  BackupVisitor& visitor_;
  BackupOrder order_;
  SecretBytes line_;
  std::string manifest_text_;
  Manifest manifest_;
  std::int64_t records_ = 0;
};

}  // namespace

std::optional<Part> BackupOrder::part_of(std::string_view name) {
  if (name == kReadmeEntry) return Part::readme;
  if (name.starts_with(kRecords) && name.ends_with(kRecordEnd)) return Part::records;
  if (is_rows_name(name)) return Part::rows;
  if (name == kJournalEntry) return Part::journal;
  if (name == kManifestEntry) return Part::manifest;
  if (name == kSignatureEntry) return Part::signature;
  return std::nullopt;
}

// Records and rows may be many or none; the others are there once.
bool BackupOrder::accept(std::string_view name) {
  const auto part = part_of(name);
  if (!part) return false;
  const bool many = *part == Part::records || *part == Part::rows;
  bool fits = false;
  switch (*part) {
    case Part::begin:
      break;
    case Part::readme:
      fits = now_ == Part::begin;
      break;
    case Part::records:
    case Part::rows:
      fits = now_ >= Part::readme && now_ <= *part;
      break;
    case Part::journal:
      fits = now_ >= Part::readme && now_ < Part::journal;
      break;
    case Part::manifest:
      fits = now_ == Part::journal;
      break;
    case Part::signature:
      fits = now_ == Part::manifest;
      break;
  }
  if (!fits || (many && !names_.emplace(name).second)) return false;
  now_ = *part;
  return true;
}

BackupWriter::BackupWriter(AgeWriter age, Seconds now)
    : age_(std::make_unique<AgeWriter>(std::move(age))), archive_(*age_), now_(now) {}

Result<BackupWriter> BackupWriter::start(ByteSink& file, std::span<const crypto::X25519PublicKey> recipients,
                                         Seconds now) {
  PV_ASSIGN(AgeWriter age, AgeWriter::start(recipients, file));
  return BackupWriter(std::move(age), now);
}

Status BackupWriter::add(const std::string& name, ByteView content) {
  if (!order_.accept(name)) return out_of_order();
  return archive_.add(name, content, now_);
}

Status BackupWriter::add_readme() { return add(std::string(kReadmeEntry), as_bytes(kReadme)); }

Status BackupWriter::add_record(const RecordInfo& info, const SecretFields& fields) {
  PV_ASSIGN(const SecretBytes text, record_entry(info, fields));
  PV_TRY(add(record_entry_name(info.id), text.reveal(SecretAccess{})));
  ++records_;
  return {};
}

Status BackupWriter::add_text(const std::string& name, ByteView lines) {
  PV_TRY(begin_text(name, lines.size()));
  PV_TRY(write_text(lines));
  return end_text();
}

Status BackupWriter::begin_text(const std::string& name, std::uint64_t size) {
  const auto part = BackupOrder::part_of(name);
  if (part != Part::rows && part != Part::journal) return out_of_order();
  if (!order_.accept(name)) return out_of_order();
  return archive_.begin({name, size, now_});
}

Status BackupWriter::write_text(ByteView piece) { return archive_.write(piece); }
Status BackupWriter::end_text() { return archive_.end(); }

Result<Manifest> BackupWriter::finish(Manifest manifest, const crypto::SigningKey& key) {
  manifest.created_at = now_;
  manifest.records = records_;
  manifest.sha256 = archive_.so_far();
  manifest.signer = key.public_key();
  const std::string text = manifest_text(manifest);
  if (!parse_manifest(text)) return fail(Errc::internal, "the manifest of the backup");
  PV_TRY(add(std::string(kManifestEntry), as_bytes(text)));
  PV_TRY(add(std::string(kSignatureEntry), as_bytes(sign_manifest(text, key))));
  PV_TRY(archive_.finish());
  PV_TRY(age_->finish());
  return manifest;
}

Result<Manifest> read_backup(ByteSource& file, std::span<const SecretBytes* const> identities,
                             BackupVisitor& visitor) {
  PV_ASSIGN(AgeReader age, AgeReader::open(file, identities));
  return Reader(age, visitor).run();
}

}  // namespace popvault
