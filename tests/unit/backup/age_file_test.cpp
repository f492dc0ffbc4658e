// In both directions against the stock program; the published vectors are in age_vectors_test.cpp.
#include "backup/age_file.hpp"

#include "crypto/random.hpp"
#include "streams.hpp"
#include "vault/recovery.hpp"

namespace popvault {
namespace {

using test::Folder;
using test::MemorySink;
using test::MemorySource;

constexpr std::size_t kSizes[] = {0, 1, 65'535, 65'536, 65'537, 131'072, 1'048'576};

Bytes pattern(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return out;
}

Bytes encrypt(ByteView plaintext, std::span<const crypto::X25519PublicKey> recipients, std::size_t piece) {
  MemorySink sink;
  auto writer = AgeWriter::start(recipients, sink);
  EXPECT_TRUE(writer);
  for (std::size_t at = 0; at < plaintext.size(); at += piece)
    EXPECT_TRUE(writer->write(plaintext.subspan(at, std::min(piece, plaintext.size() - at))));
  EXPECT_TRUE(writer->finish());
  return sink.bytes;
}

Result<Bytes> decrypt(ByteView file, const SecretBytes& identity,
                      std::size_t piece = static_cast<std::size_t>(-1)) {
  const SecretBytes* const identities[] = {&identity};
  MemorySource source(file, piece);
  PV_ASSIGN(AgeReader reader, AgeReader::open(source, identities));
  return test::read_all(reader);
}

struct Pair {
  SecretBytes secret = crypto::random_secret(32);
  crypto::X25519PublicKey recipient = crypto::x25519_public(secret);
  std::string text() const {
    const SecretBytes words = age_identity(secret);
    return std::string(as_text(words.reveal(SecretAccess{})));
  }
};

TEST(AgeFile, RoundTripsAndTheStockProgramOpensIt) {
  const Folder folder;
  const Pair first, second;
  const crypto::X25519PublicKey recipients[] = {first.recipient, second.recipient};
  folder.write("first", as_bytes(first.text() + "\n"));
  folder.write("second", as_bytes(second.text() + "\n"));
  for (const std::size_t size : kSizes) {
    const Bytes plain = pattern(size);
    for (const std::size_t piece : {std::size_t{1000}, kAgeChunk, std::size_t{200'000}}) {
      const Bytes file = encrypt(plain, recipients, piece);
      for (const Pair* who : {&first, &second}) {
        const auto opened = decrypt(file, who->secret, 4099);
        ASSERT_TRUE(opened) << size;
        EXPECT_TRUE(*opened == plain) << size;
      }
      folder.write("file.age", file);
    }
    for (const char* who : {"first", "second"}) {
      ASSERT_EQ(folder.run(std::string("age -d -i ") + who + " -o plain file.age"), 0) << size;
      EXPECT_TRUE(folder.read("plain") == plain) << size;
    }
  }
}

TEST(AgeFile, OpensWhatTheStockProgramWrites) {
  const Folder folder;
  ASSERT_EQ(folder.run("age-keygen -o key && age-keygen -y -o recipient key && grep AGE- key >line"), 0);
  const Bytes line = folder.read("line");
  const auto identity = parse_identity(SecretBytes::copy_of(ByteView(line).first(line.size() - 1)));
  ASSERT_TRUE(identity);
  const Bytes text = folder.read("recipient");
  const std::string recipient(as_text(ByteView(text).first(text.size() - 1)));
  EXPECT_EQ(age_recipient(crypto::x25519_public(*identity)), recipient);
  EXPECT_TRUE(parse_recipient(recipient).value() == crypto::x25519_public(*identity));
  EXPECT_EQ(as_text(age_identity(*identity).reveal(SecretAccess{})),
            as_text(line).substr(0, line.size() - 1));
  for (const std::size_t size : kSizes) {
    const Bytes plain = pattern(size);
    folder.write("plain", plain);
    ASSERT_EQ(
        folder.run("age -r " + age_recipient(Pair().recipient) + " -r " + recipient + " -o file.age plain"),
        0);
    const auto opened = decrypt(folder.read("file.age"), *identity);
    ASSERT_TRUE(opened) << size;
    EXPECT_TRUE(*opened == plain) << size;
  }
}

TEST(AgeFile, AnotherKeyIsNamedAsSuch) {
  const Pair mine, other;
  const Bytes file = encrypt(pattern(100), std::span(&mine.recipient, 1), 100);
  const auto opened = decrypt(file, other.secret);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::backup_wrong_key);
}

TEST(AgeFile, EveryTruncationAndAnyMoreIsRefused) {
  const Pair mine;
  const Bytes plain = pattern(200);
  Bytes file = encrypt(plain, std::span(&mine.recipient, 1), 64);
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto opened = decrypt(ByteView(file).first(size), mine.secret);
    ASSERT_FALSE(opened) << size;
    EXPECT_EQ(opened.error().code, Errc::backup_invalid) << size;
  }
  file.push_back(0);
  EXPECT_FALSE(decrypt(file, mine.secret));
}

TEST(AgeFile, AReaderThatFailedStaysSo) {
  const Pair mine;
  Bytes file = encrypt(pattern(70'000), std::span(&mine.recipient, 1), 70'000);
  file.back() ^= 1;
  const SecretBytes* const identities[] = {&mine.secret};
  MemorySource source(file);
  auto reader = AgeReader::open(source, identities);
  ASSERT_TRUE(reader);
  Bytes part(kAgeChunk);
  ASSERT_EQ(reader->read(part).value(), kAgeChunk);
  EXPECT_FALSE(reader->read(part));
  EXPECT_FALSE(reader->read(part));
}

TEST(AgeFile, LimitsOfTheHead) {
  const Pair mine;
  std::vector<crypto::X25519PublicKey> many(kMaxAgeStanzas + 1, Pair().recipient);
  MemorySink sink;
  EXPECT_FALSE(AgeWriter::start(many, sink));
  EXPECT_FALSE(AgeWriter::start({}, sink));
  many.back() = mine.recipient;
  EXPECT_TRUE(decrypt(encrypt(pattern(1), std::span(many).last(kMaxAgeStanzas), 1), mine.secret));
  // An unknown stanza of the largest size that still fits, and one byte more.
  const Bytes file = encrypt(pattern(1), std::span(&mine.recipient, 1), 1);
  const std::string text(as_text(file));
  for (const std::size_t size : {std::size_t{70'000}, std::size_t{10'000'000}}) {
    std::string longer =
        "age-encryption.org/v1\n-> grease " + std::string(size, 'x') + "\n\n" + text.substr(22);
    const auto opened = decrypt(as_bytes(longer), mine.secret);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::backup_invalid);
  }
  std::string crowd = "age-encryption.org/v1\n";
  for (std::size_t i = 0; i <= kMaxAgeStanzas; ++i) crowd += "-> grease\n\n";
  EXPECT_FALSE(decrypt(as_bytes(crowd + text.substr(22)), mine.secret));
}

TEST(AgeKeys, OtherTextsAreRefused) {
  const Pair mine;
  const std::string good = age_recipient(mine.recipient);
  std::string changed = good;
  changed.back() = changed.back() == 'q' ? 'p' : 'q';
  for (const std::string& text : {std::string(), std::string("age1"), changed, mine.text(), good + "q",
                                  std::string("AGE1") + good.substr(4), std::string(100'000, 'a')}) {
    const auto key = parse_recipient(text);
    ASSERT_FALSE(key) << text.substr(0, 80);
    EXPECT_EQ(key.error().code, Errc::invalid_field);
  }
  for (const std::string& text : {std::string(), good, mine.text().substr(1), mine.text() + "\n"})
    EXPECT_FALSE(parse_identity(SecretBytes::copy_of(as_bytes(text))));
}

}  // namespace
}  // namespace popvault
