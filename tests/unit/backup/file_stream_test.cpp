#include "backup/file_stream.hpp"

#include <fcntl.h>

#include "backup/backup.hpp"
#include "crypto/random.hpp"
#include "os/descriptor.hpp"
#include "streams.hpp"
#include "support/faulty_fs.hpp"

namespace popvault {
namespace {

using test::FaultyFs;
using test::Folder;

// A backup of one long journal through `fs`, written and read again.
class Through {
 public:
  explicit Through(Fs& fs)
      : fs_(fs), file_(open(folder_.file("b.age").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}

  Status write() {
    FileSink sink(fs_, file_.get());
    const crypto::X25519PublicKey recipient = crypto::x25519_public(identity_);
    PV_ASSIGN(BackupWriter writer, BackupWriter::start(sink, std::span(&recipient, 1), 1));
    PV_TRY(writer.add_readme());
    PV_TRY(writer.add_text("journal.jsonl", as_bytes(std::string(200'000, 'x') + "\n")));
    Manifest manifest;
    manifest.counter = 1;
    PV_TRY(writer.finish(manifest, crypto::SigningKey::from_seed(crypto::random_secret(32))));
    size_ = sink.size();
    return {};
  }
  Status read() {
    EXPECT_EQ(lseek(file_.get(), 0, SEEK_SET), 0);
    FileSource source(fs_, file_.get());
    const SecretBytes* const identities[] = {&identity_};
    IgnoringVisitor nothing;
    PV_TRY(read_backup(source, identities, nothing));
    EXPECT_EQ(source.size(), size_);
    EXPECT_EQ(source.digest(), crypto::sha256(folder_.read("b.age")));
    return {};
  }

 private:
  Fs& fs_;
  Folder folder_;
  Descriptor file_;
  SecretBytes identity_ = crypto::random_secret(32);
  std::uint64_t size_ = 0;
};

TEST(FileStream, EveryFailingCallIsAnErrorOfItsKind) {
  FaultyFs counting(real_fs());
  Through whole(counting);
  ASSERT_TRUE(whole.write());
  const std::size_t writes = counting.calls();
  ASSERT_TRUE(whole.read());
  const std::size_t calls = counting.calls();
  EXPECT_GE(writes, 5U);
  EXPECT_GT(calls, writes + 5);
  for (std::size_t n = 1; n <= calls; ++n) {
    for (const auto& [error, code] : {std::pair(ENOSPC, Errc::disk_full), std::pair(EIO, Errc::io_error)}) {
      FaultyFs faulty(real_fs());
      faulty.fail_at(n, error);
      Through one(faulty);
      const Status written = one.write();
      ASSERT_EQ(written.has_value(), n > writes) << n;
      const Status status = written ? one.read() : written;
      ASSERT_FALSE(status) << n;
      EXPECT_EQ(status.error().code, code) << n;
    }
    FaultyFs interrupted(real_fs());
    interrupted.fail_at(n, EINTR);
    Through again(interrupted);
    EXPECT_TRUE(again.write() && again.read()) << n;
    FaultyFs shortened(real_fs());
    shortened.shorten_at(n);
    Through rest(shortened);
    EXPECT_TRUE(rest.write() && rest.read()) << n;
  }
}

}  // namespace
}  // namespace popvault
