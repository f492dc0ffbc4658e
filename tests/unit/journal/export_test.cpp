#include "journal/export.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace popvault::journal {
namespace {

constexpr std::string_view kVault = "vlt_abcdefghijklmnopqrstuvwxyz";

SecretBytes seed(std::uint8_t first) { return SecretBytes::copy_of(Bytes(32, first)); }
crypto::PublicKey key(std::uint8_t first) { return crypto::SigningKey::from_seed(seed(first)).public_key(); }

// A journal as Session writes it.
class Book {
 public:
  void add(Kind kind, std::string body = "{}") {
    Row row{head_.seq + 1, 1795000000 + static_cast<std::int64_t>(head_.seq), kind, std::move(body), {}};
    row.hash = row_hash(head_.hash, row);
    head_ = {row.seq, row.hash};
    rows.push_back(std::move(row));
  }
  void checkpoint(std::uint8_t by = 1, std::string_view vault = kVault) {
    const std::int64_t at = 1795000000 + static_cast<std::int64_t>(head_.seq);
    add(Kind::checkpoint, to_json(sign_checkpoint(seed(by), vault, head_, at)).dump());
  }
  std::vector<std::string> lines(std::size_t after = 0) const {
    ExportHead head{std::string(kVault), key(1), {}};
    if (after > 0) head.from = {rows[after - 1].seq, rows[after - 1].hash};
    std::vector<std::string> out{head_line(head)};
    for (std::size_t i = after; i < rows.size(); ++i) out.push_back(row_line(rows[i]));
    return out;
  }
  std::vector<Row> rows;

 private:
  Head head_;
};

Book sample() {
  Book out;
  for (int i = 0; i < 4; ++i) out.add(Kind::unlocked);
  out.checkpoint();
  for (int i = 0; i < 3; ++i) out.add(Kind::agent_rejected, R"({"executable":"/usr/bin/\"x\""})");
  out.add(Kind::journal_exported);
  out.checkpoint();
  return out;
}

Result<ExportSummary> read(const std::vector<std::string>& lines, std::uint8_t by = 1) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  ExportReader reader(key(by));
  // In pieces that end anywhere.
  for (std::size_t at = 0; at < text.size(); at += 7) PV_TRY(reader.feed(std::string_view(text).substr(at, 7)));
  return reader.finish();
}

// The error of a file that must not pass.
Error refusal(const std::vector<std::string>& lines, std::uint8_t by = 1) {
  const auto got = read(lines, by);
  EXPECT_FALSE(got);
  return got ? Error{} : got.error();
}

TEST(Export, AnUntouchedOnePasses) {
  const auto got = read(sample().lines());
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->rows, 10U);
  EXPECT_EQ(got->audit.checkpoints, 2U);
  EXPECT_EQ(got->audit.covered(), 10U);
  EXPECT_TRUE(read(sample().lines(3))) << "a part of it";
}

TEST(Export, EveryEditNamesItsLine) {
  const auto lines = sample().lines();
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto edited = lines;
    edited.erase(edited.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_NE(refusal(edited).detail.find("line "), std::string::npos) << "deleted " << i;
    edited = lines;
    edited.insert(edited.begin() + static_cast<std::ptrdiff_t>(i), edited[i]);
    EXPECT_EQ(refusal(edited).detail.find("line " + std::to_string(i + 2) + ":"), 0U) << "doubled " << i;
    edited = lines;
    edited[i].back() = ' ';
    EXPECT_EQ(refusal(edited).detail.find("line " + std::to_string(i + 1) + ":"), 0U) << "no JSON " << i;
  }
  for (std::size_t n = 0; n < lines.size(); ++n)
    refusal({lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(n)});  // any cut
}

// Somebody who can write the file but has no key makes every hash anew.
TEST(Export, AForgedChainHasNoCheckpoint) {
  Book forged;
  for (int i = 0; i < 4; ++i) forged.add(Kind::unlocked);
  forged.add(Kind::journal_exported);
  EXPECT_EQ(refusal(forged.lines()).code, Errc::journal_broken) << "without any";
  Book other = forged;
  other.checkpoint(2);
  EXPECT_EQ(refusal(other.lines()).code, Errc::checkpoint_invalid) << "of another key";
  other = forged;
  other.checkpoint(1, "vlt_other");
  EXPECT_EQ(refusal(other.lines()).code, Errc::checkpoint_invalid) << "of another vault";
  other = forged;
  other.rows.push_back(sample().rows[4]);
  EXPECT_FALSE(read(other.lines())) << "an old one behind it";
  EXPECT_EQ(refusal(sample().lines(), 2).code, Errc::checkpoint_invalid) << "asked with another key";
}

TEST(Export, MoreInACheckpointIsNotCovered) {
  Book book;
  book.add(Kind::journal_exported);
  const Head head{1, book.rows[0].hash};
  Json body = to_json(sign_checkpoint(seed(1), kVault, head, 1795000001));
  book.add(Kind::checkpoint, body.dump());
  EXPECT_TRUE(read(book.lines()));
  Book more;
  more.add(Kind::journal_exported);
  body.set("note", "x");
  more.add(Kind::checkpoint, body.dump());
  EXPECT_EQ(refusal(more.lines()).code, Errc::checkpoint_invalid);
}

TEST(Export, ARestoredVaultHasOlderKeysBehindIt) {
  Book book;
  book.add(Kind::unlocked);
  book.checkpoint(2);
  book.add(Kind::vault_restored);
  book.add(Kind::journal_exported);
  Book whole = book;
  whole.checkpoint(1);
  const auto got = read(whole.lines());
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(got->audit.checkpoints, 1U);
  Book without;
  without.add(Kind::unlocked);
  without.checkpoint(2);
  without.add(Kind::journal_exported);
  without.checkpoint(1);
  EXPECT_EQ(refusal(without.lines()).code, Errc::checkpoint_invalid) << "the control: no restore between";
}

TEST(Export, LimitsAndForm) {
  EXPECT_EQ(refusal({}).code, Errc::journal_broken);
  EXPECT_EQ(refusal({"{}"}).code, Errc::journal_broken);
  EXPECT_EQ(refusal({std::string(kMaxExportLine + 1, 'x')}).code, Errc::too_large);
  auto lines = sample().lines();
  lines[0].replace(lines[0].find("journal-1"), 9, "journal-2");
  EXPECT_EQ(refusal(lines).code, Errc::journal_broken);
  lines = sample().lines();
  lines[2].insert(1, " ");
  EXPECT_EQ(refusal(lines).detail, "line 3: it is not canonical JSON");
  ExportReader reader(key(1));
  ASSERT_TRUE(reader.feed(sample().lines()[0]));
  EXPECT_FALSE(reader.finish()) << "a line without its end";
}

}  // namespace
}  // namespace popvault::journal
