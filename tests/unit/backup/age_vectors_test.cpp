// Vectors: CCTV's suite for the age format; tests/vectors/age/README.md names what is in it.
#include <map>
#include <sstream>

#include "backup/age_file.hpp"
#include "crypto/digest.hpp"
#include "streams.hpp"

namespace popvault {
namespace {

using test::Folder;
using test::MemorySource;

struct Vector {
  std::map<std::string, std::string> head;
  Bytes file;
};

Vector read_vector(const std::string& path, const Folder& folder) {
  const Bytes whole = test::read_file(path);
  const std::string_view text = as_text(whole);
  const std::size_t end = text.find("\n\n");
  Vector out;
  std::istringstream lines{std::string(text.substr(0, end))};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(": ");
    out.head[line.substr(0, colon)] = line.substr(colon + 2);
  }
  out.file.assign(whole.begin() + static_cast<std::ptrdiff_t>(end) + 2, whole.end());
  if (out.head["compressed"] == "zlib") {
    folder.write("deflated", out.file);
    EXPECT_EQ(
        folder.run("python3 -c 'import sys, zlib; "
                   "sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))' <deflated >whole"),
        0);
    out.file = folder.read("whole");
  }
  return out;
}

// What came out before the end or the failure, and how it ended.
struct Outcome {
  Status status;
  Bytes plaintext;
};

Outcome decrypt(const Vector& vector, std::size_t piece) {
  Outcome out;
  const auto found = vector.head.find("identity");
  const std::string words = found == vector.head.end() ? "" : found->second;
  SecretBytes identity = SecretBytes::zeros(32);
  if (!words.empty()) identity = parse_identity(SecretBytes::copy_of(as_bytes(words))).value();
  const SecretBytes* const identities[] = {&identity};
  MemorySource source(vector.file, piece);
  auto reader = AgeReader::open(source, identities);
  if (!reader) {
    out.status = tl::unexpected(reader.error());
    return out;
  }
  Bytes part(70'000);
  while (true) {
    const auto n = reader->read(part);
    if (!n) out.status = tl::unexpected(n.error());
    if (!n || *n == 0) return out;
    out.plaintext.insert(out.plaintext.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(*n));
  }
}

void check(const std::string& name, Vector& vector, std::size_t piece) {
  const Outcome got = decrypt(vector, piece);
  const std::string expect = vector.head["expect"];
  if (expect == "success") {
    EXPECT_TRUE(got.status) << name << ": " << got.status.error().message();
  } else {
    ASSERT_FALSE(got.status) << name;
    EXPECT_EQ(got.status.error().code, expect == "no match" ? Errc::backup_wrong_key : Errc::backup_invalid)
        << name;
  }
  if (expect == "success") EXPECT_EQ(crypto::sha256(got.plaintext).hex(), vector.head["payload"]) << name;
  // What may be given out before the failure, or whole chunks less: it is seen earlier here.
  if (expect == "payload failure" && crypto::sha256(got.plaintext).hex() != vector.head["payload"])
    EXPECT_EQ(got.plaintext.size() % kAgeChunk, 0U) << name;
}

TEST(AgeVectors, EveryOne) {
  const Folder folder;
  std::map<std::string, int> seen;
  for (const auto& one : std::filesystem::directory_iterator(POPVAULT_SOURCE_DIR "/tests/vectors/age")) {
    const std::string name = one.path().filename();
    if (name == "README.md") continue;
    Vector vector = read_vector(one.path(), folder);
    ++seen[vector.head["expect"]];
    check(name, vector, static_cast<std::size_t>(-1));
    if (vector.file.size() < 200'000) check(name, vector, 7);
  }
  EXPECT_GE(seen["success"], 12);
  EXPECT_GE(seen["header failure"], 25);
  EXPECT_GE(seen["payload failure"], 15);
  EXPECT_EQ(seen["no match"], 3);
  EXPECT_EQ(seen["HMAC failure"], 1);
}

}  // namespace
}  // namespace popvault
