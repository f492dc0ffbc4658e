// audit.export: the journal as a file that can be checked with the public key alone (docs/JOURNAL_FORMAT.md).
//
// A row that says so and a checkpoint behind it are written first. Then the lines are made in memory, some rows at a time
// between other requests, and copied to the owner's file off the loop, because its disk may hang.

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "backup/file_stream.hpp"
#include "daemon/handlers.hpp"
#include "journal/export.hpp"
#include "os/closer.hpp"
#include "rpc/params.hpp"
#include "session/checkpoints.hpp"

namespace popvault::daemon {
namespace {

constexpr std::int64_t kRowsAtOnce = 500;

class ExportJob : public std::enable_shared_from_this<ExportJob> {
 public:
  ExportJob(Application& app, Descriptor file, std::shared_ptr<Reply> reply)
      : app_(&app), file_(std::move(file)), made_(memfd_create("popvault-journal", MFD_CLOEXEC)),
        sink_(app.session.fs(), made_.get()), reply_(std::move(reply)) {}
  ~ExportJob() { close_elsewhere(std::move(file_)); }
  ExportJob(const ExportJob&) = delete;
  ExportJob& operator=(const ExportJob&) = delete;

  Status start(std::uint64_t after) {
    if (!made_) return fail_errno(errno, "memfd_create");
    Session& session = app_->session;
    PV_ASSIGN(journal::ExportHead head, head_after(after));
    Json body;
    body.set("after", static_cast<std::int64_t>(after));
    PV_ASSIGN(auto tx, session.begin());
    PV_TRY(tx.journal(journal::Kind::journal_exported, std::move(body)));
    PV_TRY(append_checkpoint(session, tx));
    PV_TRY(session.commit(tx));
    at_ = after;
    end_ = session.store().head();
    public_key_ = head.public_key;
    PV_TRY(put(journal::head_line(head)));
    again();
    return {};
  }

 private:
  Result<journal::ExportHead> head_after(std::uint64_t after) {
    Session& session = app_->session;
    journal::ExportHead out{session.vault_id(), *session.journal_key(), {}};
    if (after == 0) return out;
    PV_ASSIGN(const auto rows, session.store().journal_after(after - 1, 1));
    if (rows.empty()) return fail(Errc::invalid_params, "after is beyond the last row");
    out.from = {after, rows[0].hash};
    return out;
  }

  void again() {
    timer_ = app_->loop.after(1, [self = shared_from_this()] { self->step(); });
  }

  void step() {
    const Status done = add_rows();
    if (!done) return end(done);
    at_ == end_.seq ? copy() : again();
  }

  // What stands in the journal stays as it is, so that it does not matter what happens in between.
  Status add_rows() {
    const auto left = static_cast<std::int64_t>(end_.seq - at_);
    PV_ASSIGN(const auto rows, app_->session.store().journal_after(at_, std::min(kRowsAtOnce, left)));
    if (rows.empty()) return fail(Errc::journal_broken, "rows are missing");
    for (const journal::Row& row : rows) {
      const std::string line = journal::row_line(row);
      if (line.size() > journal::kMaxExportLine) return fail(Errc::too_large, "row " + std::to_string(row.seq));
      PV_TRY(put(line));
      ++rows_;
    }
    at_ = rows.back().seq;
    return {};
  }

  Status put(const std::string& line) { return sink_.write(as_bytes(line + "\n")); }

  void copy() {
    auto copied = std::make_shared<Status>();
    app_->loop.offload_apart(
        [self = shared_from_this(), copied, &fs = app_->session.fs()] {
          *copied = copy_whole(fs, self->made_.get(), self->file_.get());
          if (*copied && fs.sync(self->file_.get()) != 0) *copied = fail(Errc::io_error, "syncing the export");
        },
        [self = shared_from_this(), copied] { self->end(*copied); });
  }

  void end(const Status& done) {
    app_->exporting = false;
    // The job keeps itself alive through its timer and its work only.
    app_->loop.post([self = shared_from_this()] { self->timer_.reset(); });
    if (!done) return reply_->error(done.error());
    Json out;
    out.set("head", end_.hash.hex());
    out.set("public_key", public_key_.hex());
    out.set("rows", rows_);
    reply_->ok(std::move(out));
  }

  Application* app_;
  Descriptor file_;
  Descriptor made_;  // in memory
  FileSink sink_;
  std::shared_ptr<Reply> reply_;
  crypto::PublicKey public_key_;
  std::uint64_t at_ = 0;
  journal::Head end_;
  std::int64_t rows_ = 0;
  std::unique_ptr<Timer> timer_;
};

}  // namespace

Status owner_methods::audit_export(Application& app, Call& call) {
  Params in(call.params);
  const std::int64_t after = in.optional_integer("after", 0, INT64_MAX, 0);
  PV_TRY(in.done());
  if (!call.file) return fail(Errc::invalid_params, "a file must be passed");
  if (app.exporting) return fail(Errc::busy, "another export is being made");
  const auto job = std::make_shared<ExportJob>(app, std::move(call.file), call.reply);
  PV_TRY(job->start(static_cast<std::uint64_t>(after)));
  app.exporting = true;
  return {};
}

}  // namespace popvault::daemon
