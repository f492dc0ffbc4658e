#include "backup/backup.hpp"

#include "backup/file_stream.hpp"
#include "crypto/random.hpp"
#include "streams.hpp"
#include "vault/recovery.hpp"

namespace popvault {
namespace {

using test::Folder;
using test::MemorySink;
using test::MemorySource;

constexpr Seconds kNow = 1'795'325'460;  // 2026-11-22T05:31:00Z

struct Keys {
  SecretBytes identity = crypto::random_secret(32);
  crypto::X25519PublicKey recipient = crypto::x25519_public(identity);
  crypto::SigningKey signing = crypto::SigningKey::from_seed(crypto::random_secret(32));
  std::string line() const {
    const SecretBytes words = age_identity(identity);
    return std::string(as_text(words.reveal(SecretAccess{}))) + "\n";
  }
};

SecretFields fields_of(std::initializer_list<std::pair<std::string_view, std::string_view>> list) {
  SecretFields out;
  for (const auto& [name, value] : list) EXPECT_TRUE(out.set(name, as_bytes(value)));
  return out;
}

RecordInfo card_info() {
  return {"rec_card", "card", "tok_card_abc", "My \"card\" \xe2\x82\xac", kNow - 100, std::nullopt};
}
RecordInfo key_info() { return {"rec_key", "api_key", "tok_key_def", "", kNow - 50, kNow - 5}; }
SecretFields card_fields() {
  return fields_of({{"number", "4242424242424242"}, {"exp_month", "12"}, {"cvv", "123"}});
}
SecretFields key_fields() {
  return fields_of({{"key", std::string_view("\xff\x00\n\"raw", 7)}, {"empty", ""}});
}

Manifest manifest() {
  Manifest out;
  out.counter = 7;
  out.journal_seq = 2;
  out.journal_hash = crypto::sha256(as_bytes("head"));
  out.popvault = "0.2.0";
  out.vault = "vlt_abc";
  return out;
}

constexpr std::string_view kAgents = "{\"id\":\"agt_1\"}\n{\"id\":\"agt_2\"}\n";
constexpr std::string_view kJournal = "{\"seq\":1}\n{\"seq\":2}\n";

// A small backup of everything that there is.
Bytes small_backup(const Keys& keys) {
  MemorySink sink;
  auto writer = BackupWriter::start(sink, std::span(&keys.recipient, 1), kNow);
  EXPECT_TRUE(writer);
  EXPECT_TRUE(writer->add_readme());
  EXPECT_TRUE(writer->add_record(card_info(), card_fields()));
  EXPECT_TRUE(writer->add_record(key_info(), key_fields()));
  EXPECT_TRUE(writer->add_text("rows/agents.jsonl", as_bytes(kAgents)));
  EXPECT_TRUE(writer->add_text("rows/settings.jsonl", {}));
  EXPECT_TRUE(writer->add_text("journal.jsonl", as_bytes(kJournal)));
  const auto made = writer->finish(manifest(), keys.signing);
  EXPECT_TRUE(made);
  EXPECT_EQ(made->records, 2);
  return sink.bytes;
}

class Collector final : public BackupVisitor {
 public:
  Status record(const RecordInfo& info, SecretFields values) override {
    infos.push_back(info);
    fields.push_back(std::move(values));
    return {};
  }
  Status text_line(std::string_view name, std::string_view line) override {
    lines.push_back(std::string(name) + ": " + std::string(line));
    return {};
  }
  std::vector<RecordInfo> infos;
  std::vector<SecretFields> fields;
  std::vector<std::string> lines;
};

Result<Manifest> read(ByteView file, const SecretBytes& identity, BackupVisitor& visitor) {
  const SecretBytes* const identities[] = {&identity};
  MemorySource source(file);
  return read_backup(source, identities, visitor);
}
Result<Manifest> read(ByteView file, const Keys& keys) {
  IgnoringVisitor nothing;
  return read(file, keys.identity, nothing);
}

bool same(const SecretFields& a, const SecretFields& b) {
  return equal_constant_time(a.reveal(SecretAccess{}), b.reveal(SecretAccess{}));
}

TEST(Backup, RoundTrips) {
  const Keys keys;
  const Bytes file = small_backup(keys);
  Collector got;
  const auto said = read(file, keys.identity, got);
  ASSERT_TRUE(said) << said.error().message();
  EXPECT_EQ(got.infos, (std::vector<RecordInfo>{card_info(), key_info()}));
  ASSERT_EQ(got.fields.size(), 2U);
  EXPECT_TRUE(same(got.fields[0], card_fields()));
  EXPECT_TRUE(same(got.fields[1], key_fields()));
  EXPECT_EQ(got.lines, (std::vector<std::string>{
                           "rows/agents.jsonl: {\"id\":\"agt_1\"}", "rows/agents.jsonl: {\"id\":\"agt_2\"}",
                           "journal.jsonl: {\"seq\":1}", "journal.jsonl: {\"seq\":2}"}));
  Manifest expected = manifest();
  expected.created_at = kNow;
  expected.records = 2;
  expected.sha256 = said->sha256;
  expected.signer = keys.signing.public_key();
  EXPECT_EQ(*said, expected);
  EXPECT_EQ(as_text(file).find("4242424242424242"), std::string_view::npos);
}

TEST(Backup, EveryByteFlipAndEveryTruncationIsRefused) {
  const Keys keys;
  const Bytes file = small_backup(keys);
  ASSERT_TRUE(read(file, keys));
  std::size_t wrong_key = 0;
  for (std::size_t at = 0; at < file.size(); ++at) {
    Bytes changed = file;
    changed[at] = static_cast<std::uint8_t>(changed[at] ^ (1U << at % 8));
    const auto said = read(changed, keys);
    ASSERT_FALSE(said) << at;
    ASSERT_TRUE(said.error().code == Errc::backup_invalid || said.error().code == Errc::backup_wrong_key)
        << at;
    wrong_key += said.error().code == Errc::backup_wrong_key ? 1 : 0;
    const auto cut = read(ByteView(file).first(at), keys);
    ASSERT_FALSE(cut) << at;
    ASSERT_EQ(cut.error().code, Errc::backup_invalid) << at;
  }
  EXPECT_LE(wrong_key, 100U);  // the two lines of the stanza
}

TEST(Backup, AForeignSignerIsReported) {
  const Keys keys, other;
  Keys mixed;
  mixed.identity = keys.identity.clone();
  mixed.recipient = keys.recipient;
  const auto said = read(small_backup(mixed), keys);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->signer, mixed.signing.public_key());
  EXPECT_FALSE(said->signer == keys.signing.public_key());
  const auto not_ours = read(small_backup(keys), other);
  ASSERT_FALSE(not_ours);
  EXPECT_EQ(not_ours.error().code, Errc::backup_wrong_key);
}

TEST(Backup, StockProgramsUnpackIt) {
  const Folder folder;
  const Keys keys;
  folder.write("key", as_bytes(keys.line()));
  folder.write("backup.age", small_backup(keys));
  ASSERT_EQ(folder.run("age -d -i key backup.age | tar -x"), 0) << as_text(folder.read("errors"));
  EXPECT_EQ(as_text(folder.read("records/rec_card.json")),
            "{\"id\":\"rec_card\",\"kind\":\"card\",\"alias\":\"tok_card_abc\",\"label\":\"My \\\"card\\\" "
            "\xe2\x82\xac\","
            "\"created_at\":\"" +
                rfc3339(kNow - 100) +
                "\",\"field.number\":\"4242424242424242\","
                "\"field.exp_month\":\"12\",\"field.cvv\":\"123\"}");
  EXPECT_NE(as_text(folder.read("records/rec_key.json")).find("\"hex.key\":\"ff000a22726177\""),
            std::string_view::npos);
  EXPECT_EQ(as_text(folder.read("rows/agents.jsonl")), kAgents);
  EXPECT_EQ(as_text(folder.read("journal.jsonl")), kJournal);
  EXPECT_GT(folder.read("README.txt").size(), 500U);
  // The digest and the signature, by hand.
  ASSERT_EQ(folder.run("age -d -i key backup.age >a.tar"), 0);
  const Bytes archive = folder.read("a.tar");
  const std::size_t at = as_text(archive).find(std::string_view("manifest.json\0", 14));
  EXPECT_EQ(at % kTarBlock, 0U);
  const Bytes text = folder.read("manifest.json");
  EXPECT_NE(as_text(text).find("\"sha256\":\"" + crypto::sha256(ByteView(archive).first(at)).hex()),
            std::string_view::npos);
  const Bytes sig = from_hex(as_text(folder.read("manifest.sig"))).value();
  crypto::Signature signature;
  std::copy(sig.begin(), sig.end(), signature.bytes.begin());
  const std::string message = "popvault-backup-v1\n" + std::string(as_text(text));
  EXPECT_TRUE(crypto::verify(keys.signing.public_key(), as_bytes(message), signature));
}

// The archive of a backup, changed by somebody who has a key, encrypted again with the stock program.
class Edited : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("key", as_bytes(keys_.line()));
    folder_.write("backup.age", small_backup(keys_));
    ASSERT_EQ(folder_.run("age -d -i key backup.age >a.tar && tar -xf a.tar"), 0);
  }
  Result<Manifest> read_again(const std::string& archive) {
    EXPECT_EQ(folder_.run("age -r " + age_recipient(keys_.recipient) + " " + archive + " >again.age"), 0);
    return read(folder_.read("again.age"), keys_);
  }
  // The stock tar, told to make heads as ours.
  std::string tar(const std::string& out, const std::string& names) {
    EXPECT_EQ(folder_.run("tar --format=ustar --owner=0 --group=0 --numeric-owner --mode=0600 --mtime=@" +
                          std::to_string(kNow) + " -b1 -cf " + out + " " + names),
              0);
    return out;
  }
  const std::string rest_ = " rows/agents.jsonl rows/settings.jsonl journal.jsonl manifest.json manifest.sig";
  const std::string all_ = "README.txt records/rec_card.json records/rec_key.json" + rest_;
  const Folder folder_{};
  const Keys keys_{};
};

TEST_F(Edited, TheSameArchiveIsTaken) {
  EXPECT_TRUE(read_again("a.tar"));
  EXPECT_TRUE(read_again(tar("b.tar", all_)));
}

TEST_F(Edited, AChangedRecordIsRefused) {
  ASSERT_EQ(folder_.run("sed -i s/4242424242424242/4111111111111111/ records/rec_card.json"), 0);
  const auto said = read_again(tar("b.tar", all_));
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().message().find("4111"), std::string::npos);
  EXPECT_NE(said.error().detail.find("manifest"), std::string::npos);
}

TEST_F(Edited, EveryChangedByteOfTheArchiveIsRefused) {
  const Bytes archive = folder_.read("a.tar");
  for (std::size_t at = 0; at < archive.size(); at += 3) {
    Bytes changed = archive;
    changed[at] = static_cast<std::uint8_t>(changed[at] ^ (1U << at % 8));
    MemorySink sink;
    auto age = AgeWriter::start(std::span(&keys_.recipient, 1), sink);
    ASSERT_TRUE(age && age->write(changed) && age->finish());
    const auto said = read(sink.bytes, keys_);
    ASSERT_FALSE(said) << at;
    ASSERT_TRUE(said.error().code == Errc::backup_invalid || said.error().code == Errc::newer_version) << at;
  }
}

TEST_F(Edited, MissingMovedDoubledAndStrangeEntriesAreRefused) {
  const std::string names[] = {
      "README.txt records/rec_card.json" + rest_,
      "README.txt records/rec_key.json records/rec_card.json" + rest_,
      "README.txt records/rec_card.json records/rec_key.json records/rec_key.json" + rest_,
      "records/rec_card.json records/rec_key.json" + rest_,
      "README.txt records/rec_card.json records/rec_key.json rows/agents.jsonl rows/settings.jsonl "
      "manifest.json "
      "manifest.sig",
      "README.txt records/rec_card.json records/rec_key.json rows/agents.jsonl rows/settings.jsonl "
      "journal.jsonl "
      "manifest.json",
      "README.txt records/rec_card.json records/rec_key.json rows/agents.jsonl rows/settings.jsonl "
      "journal.jsonl",
      all_ + " journal.jsonl",
      all_ + " manifest.sig",
      "README.txt records/rec_card.json records/rec_key.json extra.txt" + rest_,
      "README.txt rows/agents.jsonl records/rec_card.json records/rec_key.json rows/settings.jsonl "
      "journal.jsonl "
      "manifest.json manifest.sig",
  };
  folder_.write("extra.txt", {});
  for (const std::string& list : names) {
    const auto said = read_again(tar("b.tar", "--hard-dereference " + list));
    ASSERT_FALSE(said) << list;
    EXPECT_EQ(said.error().code, Errc::backup_invalid) << list;
  }
  ASSERT_EQ(folder_.run("tar -cf b.tar " + all_), 0);
  EXPECT_FALSE(read_again("b.tar"));
  EXPECT_FALSE(read_again("/dev/null"));
}

TEST_F(Edited, AManifestThatFitsNeedsTheSigner) {
  ASSERT_EQ(folder_.run("sed -i s/4242424242424242/4111111111111111/ records/rec_card.json"), 0);
  const Bytes archive = folder_.read(tar("b.tar", all_));
  const std::size_t at = as_text(archive).find(std::string_view("manifest.json\0", 14));
  const std::string digest = crypto::sha256(ByteView(archive).first(at)).hex();
  ASSERT_EQ(folder_.run("sed -i 's/\"sha256\":\"[0-9a-f]*\"/\"sha256\":\"" + digest + "\"/' manifest.json"),
            0);
  const auto said = read_again(tar("b.tar", all_));
  ASSERT_FALSE(said);
  EXPECT_NE(said.error().detail.find("signature"), std::string::npos);
}

TEST(Backup, LargeTextsAndLongLines) {
  const Keys keys;
  const auto made_of = [&](std::size_t line, std::size_t count, bool end) {
    const std::string text = std::string(line, 'x') + "\n";
    MemorySink sink;
    auto writer = BackupWriter::start(sink, std::span(&keys.recipient, 1), kNow).value();
    EXPECT_TRUE(writer.add_readme());
    EXPECT_TRUE(writer.begin_text("journal.jsonl", text.size() * count - (end ? 0 : 1)));
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_TRUE(writer.write_text(as_bytes(text).first(text.size() - (!end && i + 1 == count ? 1 : 0))));
    EXPECT_TRUE(writer.end_text());
    EXPECT_TRUE(writer.finish(manifest(), keys.signing));
    return sink.bytes;
  };
  Collector got;
  ASSERT_TRUE(read(made_of(399, 100'000, true), keys.identity, got));
  EXPECT_EQ(got.lines.size(), 100'000U);
  EXPECT_TRUE(read(made_of(kMaxBackupLine - 1, 3, true), keys));
  EXPECT_FALSE(read(made_of(kMaxBackupLine, 3, true), keys));
  EXPECT_FALSE(read(made_of(10, 3, false), keys));
  EXPECT_FALSE(read(made_of(0, 3, true), keys));
}

TEST(Backup, TheWriterKeepsTheOrder) {
  const Keys keys;
  MemorySink sink;
  auto writer = BackupWriter::start(sink, std::span(&keys.recipient, 1), kNow).value();
  EXPECT_FALSE(writer.add_record(card_info(), card_fields()));
  EXPECT_FALSE(writer.add_text("README.txt", {}));
  EXPECT_FALSE(writer.add_text("manifest.json", {}));
  ASSERT_TRUE(writer.add_readme());
  EXPECT_FALSE(writer.add_readme());
  EXPECT_FALSE(writer.finish(manifest(), keys.signing));
  ASSERT_TRUE(writer.add_record(card_info(), card_fields()));
  EXPECT_FALSE(writer.add_record(card_info(), card_fields()));
  EXPECT_FALSE(writer.add_text("rows/../x.jsonl", {}));
  EXPECT_FALSE(writer.add_text("rows/.jsonl", {}));
  ASSERT_TRUE(writer.add_text("rows/a.jsonl", {}));
  EXPECT_FALSE(writer.add_text("rows/a.jsonl", {}));
  EXPECT_FALSE(writer.add_record(key_info(), key_fields()));
  ASSERT_TRUE(writer.add_text("journal.jsonl", {}));
  EXPECT_FALSE(writer.add_text("journal.jsonl", {}));
  Manifest none = manifest();
  none.counter = 0;
  EXPECT_FALSE(writer.finish(none, keys.signing));
}

TEST(Backup, TheVisitorCanEndIt) {
  class Refusing final : public BackupVisitor {
    Status record(const RecordInfo&, SecretFields) override { return fail(Errc::disk_full, "enough"); }
    Status text_line(std::string_view, std::string_view) override { return {}; }
  };
  const Keys keys;
  Refusing visitor;
  const auto said = read(small_backup(keys), keys.identity, visitor);
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, Errc::disk_full);
}

TEST(RecordEntry, OtherFormsAreRefused) {
  const auto parse = [](std::string_view name, std::string_view text) {
    return parse_record_entry(name, SecretBytes::copy_of(as_bytes(text))).has_value();
  };
  const std::string good =
      R"({"id":"r","kind":"card","alias":"a","label":"l","created_at":"2026-11-22T05:31:00Z","field.x":"1"})";
  EXPECT_TRUE(parse("records/r.json", good));
  EXPECT_FALSE(parse("records/q.json", good));
  const std::pair<std::string_view, std::string_view> changes[] = {
      {"\"id\"", "\"ID\""},
      {"{", "{ "},
      {"}", "}\n"},
      {"\"r\"", "\"../r\""},
      {"Z\"", "\""},
      {"2026-11-22", "2026-11-32"},
      {"2026-11-22T05", "2026-11-22T25"},
      {"field.x", "field.X"},
      {"field.x", "field."},
      {"field.x", "other.x"},
      {"field.x", "hex.x"},
      {"\"field.x\":\"1\"", "\"hex.x\":\"31\""},
      {"\"field.x\":\"1\"", "\"hex.x\":\"FF\""},
      {"\"field.x\":\"1\"", "\"field.x\":\"1\",\"hex.x\":\"ff\""},
      {"\"field.x\":\"1\"",
       "\"trashed_at\":\"2026-11-22T05:31:00Z\",\"trashed_at\":\"2026-11-22T05:31:00Z\""},
      {",\"field.x\":\"1\"", ",\"field.x\":\"1\",\"trashed_at\":\"2026-11-22T05:31:00Z\""},
      {"\"alias\":\"a\",", ""},
      {"\"kind\":\"card\",\"alias\":\"a\"", "\"alias\":\"a\",\"kind\":\"card\""},
  };
  for (const auto& [from, to] : changes) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    EXPECT_FALSE(parse("records/r.json", text)) << text;
  }
}

TEST(ManifestText, CanonicalAndNothingElse) {
  Manifest m = manifest();
  m.created_at = kNow;
  const std::string good = manifest_text(m);
  EXPECT_EQ(parse_manifest(good).value(), m);
  EXPECT_EQ(good, "{\"counter\":7,\"created_at\":\"" + rfc3339(kNow) +
                      "\",\"format\":1,\"journal\":{\"hash\":\"" + m.journal_hash.hex() +
                      "\",\"seq\":2},\"popvault\":\"0.2.0\",\"records\":0,\"sha256\":\"" +
                      std::string(64, '0') + "\",\"signer\":\"" + std::string(64, '0') +
                      "\",\"vault\":\"vlt_abc\"}");
  for (const auto& [from, to] :
       {std::pair("{", "{ "), std::pair("7", "0"), std::pair("7", "-7"), std::pair("7", "\"7\""),
        std::pair("\"counter\":7,", ""), std::pair("\"records\":0", "\"records\":-1"),
        std::pair("\"format\":1", "\"format\":0"), std::pair("vlt_abc\"", "vlt_abc\",\"x\":1")}) {
    std::string text = good;
    text.replace(text.find(from), std::string_view(from).size(), to);
    const auto parsed = parse_manifest(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::backup_invalid);
  }
  std::string newer = good;
  newer.replace(newer.find("\"format\":1"), 10, "\"format\":2");
  EXPECT_EQ(parse_manifest(newer).error().code, Errc::newer_version);
}

TEST(ManifestText, Times) {
  for (const Seconds time : {Seconds{0}, kNow, Seconds{253'402'300'799}, Seconds{951'782'400}})
    EXPECT_EQ(parse_rfc3339(rfc3339(time)), time);
  for (const char* text :
       {"", "2026-11-22", "2026-11-22 05:31:00Z", "2026-11-22T05:31:00z", "2026-02-30T00:00:00Z",
        "2026-11-22T24:00:00Z", "2026-11-22T05:60:00Z", "-026-11-22T05:31:00Z", "2026-1a-22T05:31:00Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

// Frozen: made by version 0.2.0 with an identity of 32 bytes 0x42 and a signing seed of 32 bytes 0x24.
TEST(Golden, TheFirstFormatOpensForEver) {
  Keys keys;
  keys.identity = SecretBytes::copy_of(Bytes(32, 0x42));
  keys.signing = crypto::SigningKey::from_seed(SecretBytes::copy_of(Bytes(32, 0x24)));
  Collector got;
  const auto said =
      read(test::read_file(POPVAULT_SOURCE_DIR "/tests/golden/backup-1.age"), keys.identity, got);
  ASSERT_TRUE(said) << said.error().message();
  EXPECT_EQ(said->signer, keys.signing.public_key());
  EXPECT_EQ(said->counter, 7);
  EXPECT_EQ(got.infos, (std::vector<RecordInfo>{card_info(), key_info()}));
  ASSERT_EQ(got.fields.size(), 2U);
  EXPECT_TRUE(same(got.fields[0], card_fields()));
  EXPECT_TRUE(same(got.fields[1], key_fields()));
  EXPECT_EQ(got.lines.size(), 4U);
}

}  // namespace
}  // namespace popvault
