#include "journal/chain.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace popvault::journal {
namespace {

std::vector<Row> chain(int length) {
  std::vector<Row> rows;
  crypto::Digest previous{};
  for (int i = 1; i <= length; ++i) {
    Row row{static_cast<std::uint64_t>(i), 1795000000 + i, Kind::unlocked, "{\"n\":" + std::to_string(i) + "}", {}};
    row.hash = row_hash(previous, row);
    previous = row.hash;
    rows.push_back(row);
  }
  return rows;
}

Status verify(const std::vector<Row>& rows) {
  Verifier verifier;
  for (const Row& row : rows) PV_TRY(verifier.add(row));
  return {};
}

TEST(Chain, AnUntouchedOneVerifies) {
  const auto rows = chain(20);
  Verifier verifier;
  for (const Row& row : rows) ASSERT_TRUE(verifier.add(row));
  EXPECT_EQ(verifier.head().seq, 20U);
  EXPECT_EQ(verifier.head().hash, rows.back().hash);
}

// The hash of one row, computed with another program: SHA-256 over 32 zero bytes, "PVJ1", u64 1,
// u64 1795000001, u16 2, u32 7, {"n":1}.
TEST(Chain, CanonicalBytes) {
  EXPECT_EQ(chain(1)[0].hash.hex(), "22920e64e1dd8a4bb62088044257d070be1a189a2f12e3dcbb1ce6711194aec7");
}

TEST(Chain, EveryEditIsFound) {
  for (int at = 0; at < 8; ++at) {
    const auto i = static_cast<std::size_t>(at);
    auto rows = chain(8);
    rows[i].body = "{\"n\":0}";
    EXPECT_FALSE(verify(rows)) << "body " << at;
    rows = chain(8);
    rows[i].at += 1;
    EXPECT_FALSE(verify(rows)) << "time " << at;
    rows = chain(8);
    rows[i].kind = Kind::locked;
    EXPECT_FALSE(verify(rows)) << "kind " << at;
    rows = chain(8);
    rows[i].hash = {};
    EXPECT_FALSE(verify(rows)) << "hash " << at;
    rows = chain(8);
    rows[i].seq += 1;
    EXPECT_FALSE(verify(rows)) << "sequence " << at;
    if (at == 7) continue;  // a cut end is found by the mirror, not by the chain
    rows = chain(8);
    rows.erase(rows.begin() + at);
    EXPECT_FALSE(verify(rows)) << "deleted " << at;
    rows = chain(8);
    std::swap(rows[i], rows[i + 1]);
    EXPECT_FALSE(verify(rows)) << "swapped " << at;
    rows = chain(8);
    rows.insert(rows.begin() + at, rows[i]);
    EXPECT_FALSE(verify(rows)) << "doubled " << at;
  }
}

TEST(Kinds, NumbersAreUniqueAndClosed) {
  int known = 0;
  for (unsigned n = 0; n <= 0xffff; ++n)
    if (kind_of(static_cast<std::uint16_t>(n))) ++known;
  int listed = 0;
#define POPVAULT_JOURNAL_KIND(number, word, authority) \
  ++listed;                                            \
  EXPECT_EQ(to_string(Kind::word), #word);
#include "journal/kinds.def"
#undef POPVAULT_JOURNAL_KIND
  EXPECT_EQ(known, listed);
  EXPECT_TRUE(changes_authority(static_cast<Kind>(999))) << "an unknown kind counts as one that gives power";
}

}  // namespace
}  // namespace popvault::journal
