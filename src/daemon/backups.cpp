#include "daemon/backups.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "backup/file_stream.hpp"
#include "crypto/digest.hpp"
#include "daemon/handlers.hpp"
#include "log/log.hpp"
#include "daemon/owner_keys.hpp"
#include "journal/export.hpp"
#include "session/records.hpp"
#include "os/atomic_file.hpp"
#include "os/closer.hpp"
#include "rpc/params.hpp"
#include "vault/secret_hex.hpp"

namespace popvault::daemon {
namespace {

constexpr std::size_t kMostRecipients = 16;
constexpr std::size_t kRecordsAtOnce = 32;
constexpr unsigned kMostVerifying = 4;
constexpr std::size_t kMaxKnown = 64 * 1024;
constexpr store::Table kBackedUp[] = {store::Table::agents, store::Table::policies, store::Table::settings,
                                      store::Table::purchases, store::Table::ledger};

std::string known_path(const std::string& home) { return home + "/.backups"; }

// "vlt_x 12" lines; what is not of that form is passed over.
std::map<std::string, std::int64_t, std::less<>> parse_known(std::string_view text) {
  std::map<std::string, std::int64_t, std::less<>> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string line(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    const std::size_t space = line.find(' ');
    const std::int64_t counter = space == line.npos ? 0 : std::strtoll(line.c_str() + space, nullptr, 10);
    if (counter > 0 && counter <= kMaxBackupCounter) out[line.substr(0, space)] = counter;
  }
  return out;
}

Result<std::vector<crypto::X25519PublicKey>> parse_recipients(const Json::Array& items) {
  std::vector<crypto::X25519PublicKey> out;
  for (const Json& item : items) {
    PV_ASSIGN(const crypto::X25519PublicKey key, parse_recipient(item.text_or("")));
    out.push_back(key);
  }
  return out;
}

std::string row_line(const store::Row& row) {
  Json line;
  line.set("body", row.body);
  line.set("id", row.id);
  line.set("version", row.version);
  return line.dump() + "\n";
}

// Bytes of a table or journal; of settings, what belongs to this home alone is left out.
Result<std::string> rows_of(Session& session, store::Table table) {
  PV_ASSIGN(const auto rows, session.store().all(table));
  std::string out;
  for (const store::Row& row : rows)
    if (table != store::Table::settings || (row.id != kRecoveryRow && row.id != kBackupRow)) out += row_line(row);
  return out;
}

constexpr std::string_view kSubjectEnd = "\"}\n";
std::string subject_begin(const std::string& agent) { return "{\"id\":\"" + agent + "\",\"key\":\""; }

Result<std::string> journal_lines(Session& session) {
  PV_ASSIGN(const auto rows, session.store().journal_after(0, INT64_MAX));
  std::string out;
  for (const journal::Row& row : rows) out += journal::row_line(row) + "\n";
  return out;
}

Json to_json(const Manifest& manifest) {
  Json out;
  out.set("counter", manifest.counter);
  out.set("created_at", rfc3339(manifest.created_at));
  out.set("records", manifest.records);
  out.set("signer", manifest.signer.hex());
  out.set("vault", manifest.vault);
  return out;
}

// One backup on its way: records a few at a time between other requests, then the rest, then it is opened and checked
// off the loop, and only then it counts.
class BackupJob : public std::enable_shared_from_this<BackupJob> {
 public:
  BackupJob(Application& app, Descriptor file, std::shared_ptr<Reply> reply)
      : app_(&app), file_(std::move(file)), made_(memfd_create("popvault-backup", MFD_CLOEXEC)),
        sink_(app.session.fs(), made_.get()), reply_(std::move(reply)) {}
  ~BackupJob() { close_elsewhere(std::move(file_)); }
  BackupJob(const BackupJob&) = delete;
  BackupJob& operator=(const BackupJob&) = delete;

  Status start(std::vector<crypto::X25519PublicKey> recipients) {
    Session& session = app_->session;
    if (!made_) return fail_errno(errno, "memfd_create");
    PV_ASSIGN(own_key_, session.keys().backup_key(session.keys().current_epoch()));
    recipients_ = recipients;
    recipients.push_back(crypto::x25519_public(own_key_));
    PV_ASSIGN(ids_, session.store().record_ids());
    PV_ASSIGN(counter_, next_counter());
    Json body;
    body.set("records", static_cast<std::int64_t>(ids_.size()));
    body.set("why", "backup");
    PV_ASSIGN(auto tx, session.begin());
    PV_TRY(tx.journal(journal::Kind::record_opened, std::move(body)));
    PV_TRY(session.commit(tx));
    auto writer = BackupWriter::start(sink_, recipients, session.clock().now());
    if (!writer) return tl::unexpected(writer.error());
    writer_ = std::make_unique<BackupWriter>(std::move(*writer));
    PV_TRY(writer_->add_readme());
    locks_ = app_->locks;
    again();
    return {};
  }

 private:
  Result<std::int64_t> next_counter() {
    Session& session = app_->session;
    PV_ASSIGN(const auto row, session.store().get(store::Table::settings, kBackupRow));
    PV_ASSIGN(const std::int64_t known, newest_known(session.fs(), session.home(), session.vault_id()));
    return std::max(known, row ? row->body["counter"].int_or(0) : 0) + 1;
  }

  void again() {
    timer_ = app_->loop.after(1, [self = shared_from_this()] { self->step(); });
  }

  void step() {
    if (app_->locks != locks_) return end(fail(Errc::locked, "locked while the backup was made"));
    const Status done = at_ < ids_.size() ? add_records() : finish();
    if (!done) return end(done);
    if (!finished_) again();
  }

  Status add_records() {
    for (std::size_t n = 0; n < kRecordsAtOnce && at_ < ids_.size(); ++n, ++at_) {
      Session& session = app_->session;
      PV_ASSIGN(const auto row, session.store().get(store::Table::records, ids_[at_]));
      if (!row) continue;  // shredded meanwhile
      PV_ASSIGN(const MaskedView view, view_of(session, *row));
      const auto blob = read_record_blob(session, *row);
      const auto fields = blob ? open_record(session.keys(), place_of(*row), *blob)
                               : Result<SecretFields>(tl::unexpected(blob.error()));
      if (!fields)
        return fail(fields.error().code, "the blob of " + row->id + "; see popvault doctor, and put it back or remove the record");
      RecordInfo info{row->id, view.kind, view.alias, view.label, row->body["created_at"].int_or(0), std::nullopt};
      if (in_trash(*row)) info.trashed_at = row->body["trashed_at"].int_or(0);
      PV_TRY(writer_->add_record(info, *fields));
    }
    return {};
  }

  Status finish() {
    Session& session = app_->session;
    for (const store::Table table : kBackedUp) {
      PV_ASSIGN(const std::string lines, rows_of(session, table));
      PV_TRY(writer_->add_text("rows/" + std::string(to_string(table)) + ".jsonl", as_bytes(lines)));
    }
    PV_TRY(add_subjects());
    const journal::Head head = session.store().head();
    PV_ASSIGN(const std::string lines, journal_lines(session));
    PV_TRY(writer_->add_text(std::string(kJournalEntry), as_bytes(lines)));
    Manifest manifest;
    manifest.counter = counter_;
    manifest.journal_hash = head.hash;
    manifest.journal_seq = static_cast<std::int64_t>(head.seq);
    manifest.popvault = kVersion;
    manifest.vault = session.vault_id();
    PV_ASSIGN(written_, writer_->finish(std::move(manifest), backup_signer(session.keys())));
    finished_ = true;
    check();
    return {};
  }

  // The keys of what the journal tells of agents, which are nowhere but in secret memory.
  Status add_subjects() {
    const auto subjects = app_->session.keys().subjects();
    std::uint64_t size = 0;
    for (const auto& [agent, member] : subjects) size += subject_begin(agent).size() + 2 * member.size() + kSubjectEnd.size();
    PV_TRY(writer_->begin_text(std::string(kSubjectsEntry), size));
    for (const auto& [agent, member] : subjects) {
      PV_TRY(writer_->write_text(as_bytes(subject_begin(agent))));
      PV_TRY(writer_->write_text(secret_to_hex(member).reveal(SecretAccess{})));
      PV_TRY(writer_->write_text(as_bytes(kSubjectEnd)));
    }
    return writer_->end_text();
  }

  // What is on disk must open and be what was written.
  void check() {
    auto read = std::make_shared<Result<Manifest>>(fail(Errc::internal));
    app_->loop.offload_apart(
        [self = shared_from_this(), read, &fs = app_->session.fs()] {
          Status ready = copy_whole(fs, self->made_.get(), self->file_.get());
          if (ready && fs.sync(self->file_.get()) != 0) ready = fail(Errc::io_error, "syncing the backup");
          if (ready && lseek(self->file_.get(), 0, SEEK_SET) != 0) ready = fail(Errc::io_error, "reading the backup");
          IgnoringVisitor nothing;
          FileSource source(fs, self->file_.get());
          const SecretBytes* const identity = &self->own_key_;
          *read = ready ? read_backup(source, std::span(&identity, 1), nothing) : Result<Manifest>(tl::unexpected(ready.error()));
          self->digest_ = source.digest();
          self->size_ = source.size();
        },
        [self = shared_from_this(), read] { self->end(self->checked(*read)); });
  }

  Status checked(const Result<Manifest>& read) {
    if (app_->locks != locks_) return fail(Errc::locked, "locked while the backup was made");
    if (!read) return tl::unexpected(read.error());
    if (!(*read == written_)) return fail(Errc::backup_invalid, "it is not what was written");
    Session& session = app_->session;
    PV_TRY(remember_backup(session.fs(), session.home(), written_.vault, written_.counter));
    PV_ASSIGN(auto row, session.store().get(store::Table::settings, kBackupRow));
    store::Row next = row ? *row : store::Row{std::string(kBackupRow), 0, {}};
    next.body.set("counter", written_.counter);
    next.body.set("sha256", digest_.hex());
    next.body.set("verified_at", session.clock().now());
    Json body;
    body.set("counter", written_.counter);
    body.set("records", written_.records);
    body.set("sha256", digest_.hex());
    PV_ASSIGN(auto tx, session.begin());
    PV_TRY(tx.put(store::Table::settings, next));
    PV_TRY(tx.journal(journal::Kind::backup_created, std::move(body)));
    return session.commit(tx);
  }

  void end(const Status& done) {
    app_->backing_up = false;
    // The job keeps itself alive through its timer and its work only.
    app_->loop.post([self = shared_from_this()] { self->timer_.reset(); });
    if (!done) return reply_->error(done.error());
    Json out = to_json(written_);
    Json::Array recipients;
    for (const auto& key : recipients_) recipients.push_back(age_recipient(key));
    out.set("recipients", std::move(recipients));
    out.set("sha256", digest_.hex());
    out.set("size", static_cast<std::int64_t>(size_));
    reply_->ok(std::move(out));
  }

  Application* app_;
  Descriptor file_;
  Descriptor made_;  // in memory, encrypted: the owner's disk may hang, and is written off the loop
  FileSink sink_;
  std::shared_ptr<Reply> reply_;
  std::vector<crypto::X25519PublicKey> recipients_;
  SecretBytes own_key_;
  std::vector<std::string> ids_;
  std::size_t at_ = 0;
  std::int64_t counter_ = 0;
  std::uint64_t locks_ = 0;
  bool finished_ = false;
  std::unique_ptr<BackupWriter> writer_;
  Manifest written_;
  crypto::Digest digest_;
  std::uint64_t size_ = 0;
  std::unique_ptr<Timer> timer_;
};

// A file that is being read, and the keys for it.
struct Reading {
  ~Reading() { close_elsewhere(std::move(file)); }
  Descriptor file;
  std::vector<SecretBytes> identities;
  std::optional<crypto::PublicKey> signer;  // who must have signed it
  Result<Manifest> manifest = fail(Errc::internal);

  Result<Manifest> read(Fs& fs, BackupVisitor& visitor) const {
    if (lseek(file.get(), 0, SEEK_SET) != 0) return fail(Errc::io_error, "reading the backup");
    std::vector<const SecretBytes*> keys;
    for (const SecretBytes& identity : identities) keys.push_back(&identity);
    FileSource source(fs, file.get());
    return read_backup(source, keys, visitor);
  }
};

Result<std::optional<crypto::PublicKey>> parse_signer(const std::optional<std::string>& hex) {
  if (!hex) return std::optional<crypto::PublicKey>{};
  const auto bytes = from_hex(*hex);
  crypto::PublicKey key;
  if (!bytes || bytes->size() != key.bytes.size()) return fail(Errc::invalid_params, "signer must be 64 hex digits");
  std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
  return std::optional(key);
}

crypto::PublicKey public_of(const SecretBytes& seed) { return crypto::SigningKey::from_seed(seed).public_key(); }

Status check_signer(const Reading& reading) {
  if (!reading.manifest) return tl::unexpected(reading.manifest.error());
  return reading.signer && *reading.signer == reading.manifest->signer ? Status{} : fail(Errc::backup_foreign);
}

Status journal_verified(Session& session, const Manifest& manifest) {
  PV_ASSIGN(auto row, session.store().get(store::Table::settings, kBackupRow));
  store::Row next = row ? *row : store::Row{std::string(kBackupRow), 0, {}};
  Json body;
  body.set("counter", manifest.counter);
  PV_ASSIGN(auto tx, session.begin());
  // An older one that is whole says nothing about the newest.
  if (manifest.counter >= next.body["counter"].int_or(0)) {
    next.body.set("counter", manifest.counter);
    next.body.set("verified_at", session.clock().now());
    PV_TRY(tx.put(store::Table::settings, next));
  }
  PV_TRY(tx.journal(journal::Kind::backup_verified, std::move(body)));
  return session.commit(tx);
}

Status verified(Application& app, const Reading& reading, Reply& reply) {
  PV_TRY(check_signer(reading));
  const Manifest& manifest = *reading.manifest;
  Session& session = app.session;
  PV_ASSIGN(const std::int64_t known, newest_known(session.fs(), session.home(), manifest.vault));
  // Only what this vault signed says something about it, whoever else the caller trusts.
  if (session.state() == State::unlocked && session.vault_id() == manifest.vault &&
      manifest.signer == backup_signer(session.keys()).public_key()) {
    PV_TRY(remember_backup(session.fs(), session.home(), manifest.vault, std::max(known, manifest.counter)));
    PV_TRY(journal_verified(session, manifest));
  }
  Json out = to_json(manifest);
  out.set("newest_known", std::max(known, manifest.counter));
  out.set("version", manifest.popvault);
  reply.ok(std::move(out));
  return {};
}

}  // namespace

crypto::SigningKey backup_signer(const Keyring& keys) {
  if (keys.recovery_key()) return crypto::SigningKey::from_seed(keys.recovery_signing());
  return crypto::SigningKey::from_seed(keys.subkey("backup"));
}

Result<std::int64_t> newest_known(Fs& fs, const std::string& home, std::string_view vault) {
  const auto file = read_owned(fs, known_path(home), kMaxKnown);
  if (!file && file.error().code == Errc::not_found) return 0;
  if (!file) return tl::unexpected(file.error());
  const auto known = parse_known(as_text(*file));
  const auto at = known.find(vault);
  return at == known.end() ? 0 : at->second;
}

Status remember_backup(Fs& fs, const std::string& home, std::string_view vault, std::int64_t counter) {
  const auto file = read_owned(fs, known_path(home), kMaxKnown);
  if (!file && file.error().code != Errc::not_found) return tl::unexpected(file.error());
  auto known = parse_known(file ? as_text(*file) : std::string_view{});
  std::int64_t& newest = known[std::string(vault)];
  if (newest == counter) return {};
  newest = counter;
  std::string text;
  for (const auto& [id, number] : known) text += id + " " + std::to_string(number) + "\n";
  return write_atomic(fs, known_path(home), as_bytes(text));
}

namespace owner_methods {

Status backup_create(Application& app, Call& call) {
  Params in(call.params);
  const Json::Array& items = in.array("recipients", kMostRecipients);
  PV_TRY(in.done());
  if (!call.file) return fail(Errc::invalid_params, "a file must be passed");
  if (app.backing_up) return fail(Errc::busy, "a backup is being made");
  PV_ASSIGN(auto recipients, parse_recipients(items));
  if (const auto& recovery = app.session.keys().recovery_key(); recovery) recipients.insert(recipients.begin(), *recovery);
  if (recipients.empty()) return fail(Errc::recovery_missing);
  const auto job = std::make_shared<BackupJob>(app, std::move(call.file), call.reply);
  PV_TRY(job->start(std::move(recipients)));
  app.backing_up = true;
  return {};
}

Status backup_verify(Application& app, Call& call) {
  Params in(call.params);
  const auto signer = in.optional_text("signer", 64);
  PV_TRY(in.done());
  if (!call.file) return fail(Errc::invalid_params, "a file must be passed");
  auto reading = std::make_shared<Reading>();
  reading->file = std::move(call.file);
  PV_ASSIGN(reading->signer, parse_signer(signer));
  if (call.bundle) {
    PV_ASSIGN(const Bundle bundle, Bundle::receive(call.bundle.release()));
    PV_ASSIGN(SecretBytes identity, key_in(bundle, "identity"));
    reading->identities.push_back(std::move(identity));
    if (const auto seed = key_in(bundle, "signing"); seed && !reading->signer) reading->signer = public_of(*seed);
  }
  if (app.session.state() == State::unlocked) {
    const Keyring& keys = app.session.keys();
    for (const std::uint32_t epoch : keys.epochs()) {
      PV_ASSIGN(SecretBytes key, keys.backup_key(epoch));
      reading->identities.push_back(std::move(key));
    }
    if (!reading->signer) reading->signer = backup_signer(keys).public_key();
  }
  if (reading->identities.empty()) return fail(Errc::backup_wrong_key, "the vault is locked and no key was given");
  if (app.verifying >= kMostVerifying) return fail(Errc::busy, "other backups are being verified");
  ++app.verifying;
  app.loop.offload_apart(
      [reading, &fs = app.session.fs()] {
        IgnoringVisitor nothing;
        reading->manifest = reading->read(fs, nothing);
      },
      [&app, reading, reply = call.reply] {
        --app.verifying;
        const Status done = verified(app, *reading, *reply);
        if (!done) reply->error(done.error());
      });
  return {};
}

namespace {

struct Restoring {
  Reading reading;
  SecretBytes key;
  std::optional<RecoveryKeys> recovery;
  bool allow_older = false;
};

Status restore_checked(Application& app, Restoring& job, Reply& reply) {
  PV_TRY(check_signer(job.reading));
  Session& session = app.session;
  const Manifest& manifest = *job.reading.manifest;
  PV_ASSIGN(const std::int64_t known, newest_known(session.fs(), session.home(), manifest.vault));
  if (manifest.counter < known && !job.allow_older)
    return fail(Errc::backup_older, "this is number " + std::to_string(manifest.counter) + " and number " +
                                        std::to_string(known) + " is known here");
  PV_TRY(session.restore(job.key, manifest, job.recovery ? &*job.recovery : nullptr,
                         [&](BackupVisitor& visitor) { return job.reading.read(session.fs(), visitor); }));
  log_info("a vault was restored from a backup");
  if (const Status kept = remember_backup(session.fs(), session.home(), manifest.vault, std::max(known, manifest.counter)); !kept)
    return fail(kept.error().code, "it is done, but an older backup will not be noticed here: " + kept.error().detail);
  Json out = to_json(manifest);
  out.erase("signer");
  out.set("mode", to_string(VaultMode::passphrase));
  reply.ok(std::move(out));
  return {};
}

}  // namespace

Status backup_restore(Application& app, Call& call) {
  Params in(call.params);
  const bool allow_older = in.optional_flag("allow_older", false);
  const auto signer = in.optional_text("signer", 64);
  PV_TRY(in.done());
  if (!call.file) return fail(Errc::invalid_params, "a file must be passed");
  if (app.backing_up) return fail(Errc::busy, "a restore is at work");
  auto job = std::make_shared<Restoring>();
  PV_ASSIGN(const Bundle bundle, Bundle::receive(call.bundle.release()));
  PV_ASSIGN(SecretBytes identity, key_in(bundle, "identity"));
  PV_ASSIGN(job->key, key_in(bundle, "key"));
  PV_ASSIGN(job->reading.signer, parse_signer(signer));
  if (auto seed = key_in(bundle, "signing"); seed) {
    if (!job->reading.signer) job->reading.signer = public_of(*seed);
    job->recovery = RecoveryKeys{identity.clone(), std::move(*seed)};
  }
  if (!job->reading.signer) return fail(Errc::backup_foreign, "without the words the signer must be named");
  job->reading.identities.push_back(std::move(identity));
  job->reading.file = std::move(call.file);
  job->allow_older = allow_older;
  app.backing_up = true;
  app.loop.offload_apart(
      [job, &fs = app.session.fs()] {
        IgnoringVisitor nothing;
        job->reading.manifest = job->reading.read(fs, nothing);
      },
      [&app, job, reply = call.reply] {
        app.backing_up = false;
        const Status done = restore_checked(app, *job, *reply);
        if (!done) reply->error(done.error());
      });
  return {};
}

}  // namespace owner_methods
}  // namespace popvault::daemon
