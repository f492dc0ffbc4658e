#include "backup/archive.hpp"

#include "streams.hpp"

namespace popvault {
namespace {

using test::Folder;
using test::MemorySink;
using test::MemorySource;

constexpr Seconds kTime = 1'795'325'460;  // 2026-11-22T05:31:00Z

struct File {
  std::string name;
  Bytes content;
  bool operator==(const File&) const = default;
};

Bytes archive_of(const std::vector<File>& files) {
  MemorySink sink;
  TarWriter writer(sink);
  for (const File& file : files) EXPECT_TRUE(writer.add(file.name, file.content, kTime));
  EXPECT_TRUE(writer.finish());
  EXPECT_EQ(writer.so_far(), crypto::sha256(sink.bytes));
  return sink.bytes;
}

Result<std::vector<File>> read_archive(ByteView bytes, std::size_t piece = static_cast<std::size_t>(-1)) {
  MemorySource source(bytes, piece);
  TarReader reader(source);
  std::vector<File> out;
  while (true) {
    PV_ASSIGN(const auto entry, reader.next());
    if (!entry) return out;
    EXPECT_EQ(entry->mtime, kTime);
    out.push_back({entry->name, {}});
    Bytes part(1000);
    while (true) {
      PV_ASSIGN(const std::size_t n, reader.read(part));
      if (n == 0) break;
      out.back().content.insert(out.back().content.end(), part.begin(),
                                part.begin() + static_cast<std::ptrdiff_t>(n));
    }
    EXPECT_EQ(out.back().content.size(), entry->size);
  }
}

const std::vector<File> kFiles = {{"README.txt", Bytes(100, 'a')},
                                  {"records/rec_1.json", {}},
                                  {"rows/agents.jsonl", Bytes(512, 'b')},
                                  {"journal.jsonl", Bytes(70'001, 'c')}};

TEST(Archive, RoundTrips) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{511}, std::size_t{1'000'000}})
    EXPECT_EQ(read_archive(archive_of(kFiles), piece).value(), kFiles);
  EXPECT_EQ(read_archive(archive_of({})).value().size(), 0U);
}

TEST(Archive, StockTarUnpacksIt) {
  const Folder folder;
  folder.write("a.tar", archive_of(kFiles));
  ASSERT_EQ(folder.run("tar -xf a.tar && tar -tvf a.tar >list && tar -df a.tar --ignore-failed-read"), 0)
      << as_text(folder.read("errors"));
  EXPECT_EQ(folder.read("errors").size(), 0U);
  for (const File& file : kFiles) {
    EXPECT_TRUE(folder.read(file.name) == file.content) << file.name;
    EXPECT_EQ(static_cast<unsigned>(std::filesystem::status(folder.file(file.name)).permissions()), 0600U);
  }
  const Bytes bytes = folder.read("list");
  const std::string list(as_text(bytes));
  EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 4);
  EXPECT_NE(list.find("-rw------- 0/0"), std::string::npos) << list;
  // The stock program makes the same heads when it is asked for the same things.
  ASSERT_EQ(folder.run("TZ=UTC tar --format=ustar --owner=0 --group=0 --numeric-owner --mode=0600 --mtime=@" +
                       std::to_string(kTime) +
                       " -b1 -cf b.tar README.txt records/rec_1.json rows/agents.jsonl "
                       "journal.jsonl"),
            0);
  EXPECT_TRUE(folder.read("b.tar") == folder.read("a.tar"));
}

TEST(Archive, EveryTruncationAndEveryBitFlipOfAHeadIsRefused) {
  const Bytes whole = archive_of({{"a/b.json", Bytes(3, 'x')}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = read_archive(ByteView(whole).first(size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, Errc::backup_invalid);
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    const std::size_t at = bit / 8;
    if (at >= kTarBlock && at < kTarBlock + 3) continue;  // the content is not its business
    Bytes changed = whole;
    changed[at] = static_cast<std::uint8_t>(changed[at] ^ (1U << bit % 8));
    EXPECT_FALSE(read_archive(changed)) << bit;
  }
  Bytes more = whole;
  more.push_back(0);
  EXPECT_FALSE(read_archive(more));
  more.insert(more.end(), 511, 0);
  EXPECT_FALSE(read_archive(more));
}

TEST(Archive, NamesSizesAndTimes) {
  const std::string names[] = {"",          "/a",
                               "a/",        "a//b",
                               ".",         "..",
                               "a/../b",    "./a",
                               "a/.",       "a b",
                               "a\xc3\xa9", "a\n",
                               "a\\b",      std::string(101, 'a'),
                               "a:b",       std::string("a\0b", 3),
                               "~a",        "*",
                               "../a"};
  for (const std::string& name : names) EXPECT_FALSE(tar_head({name, 1, 1})) << name;
  for (const std::string& name :
       {std::string("a"), std::string(100, 'a'), std::string("a/b/c.-_Z9"), std::string("...")})
    EXPECT_TRUE(tar_head({name, 1, 1})) << name;
  EXPECT_TRUE(tar_head({"a", kMaxEntry, 0}));
  EXPECT_FALSE(tar_head({"a", kMaxEntry + 1, 0}));
  EXPECT_FALSE(tar_head({"a", 0, -1}));
  EXPECT_TRUE(tar_head({"a", 0, (1LL << 33) - 1}));
  EXPECT_FALSE(tar_head({"a", 0, 1LL << 33}));
}

TEST(Archive, AnEntryHasTheSizeThatWasSaid) {
  MemorySink sink;
  TarWriter writer(sink);
  ASSERT_TRUE(writer.begin({"a", 3, kTime}));
  EXPECT_FALSE(writer.write(Bytes(4)));
  ASSERT_TRUE(writer.write(Bytes(2)));
  EXPECT_FALSE(writer.end());
  EXPECT_FALSE(writer.finish());
}

}  // namespace
}  // namespace popvault
