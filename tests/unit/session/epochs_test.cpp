// Epochs on a real folder, with a clock of our own.

#include "session/epochs.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "session/record_changes.hpp"
#include "vault/vault_file.hpp"
#include "unit/session_case.hpp"

namespace popvault {
namespace {

namespace files = std::filesystem;
constexpr Seconds kDay = 24 * 3600;

Bytes contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class EpochsTest : public test::SessionCase {
 protected:
  std::string add(const std::string& password) {
    SecretFields fields;
    EXPECT_TRUE(fields.set("key", as_bytes(password)));
    const auto view = add_record(*session_, "api_key", "key", std::move(fields));
    EXPECT_TRUE(view) << view.error().message();
    return view->id;
  }
  store::Row row(const std::string& id) { return session_->store().get(store::Table::records, id).value().value(); }
  std::string value(const std::string& id) {
    const store::Row record = row(id);
    const auto blob = read_record_blob(*session_, record);
    if (!blob) return "no blob: " + blob.error().message();
    const auto fields = open_record(session_->keys(), place_of(record), *blob);
    return fields ? std::string(as_text(*fields->find("key", SecretAccess{}))) : fields.error().message();
  }
  std::string status(std::int64_t epoch) {
    const auto found = session_->store().get(store::Table::epochs, std::to_string(epoch));
    return found && *found ? (*found)->body["status"].text_or("") : "none";
  }
  void sweep_all() {
    std::set<std::string> damaged;
    while (sweep(*session_, 4, damaged).value() > 0) {
    }
    EXPECT_TRUE(damaged.empty());
  }
  std::size_t rows_of(journal::Kind kind) { return session_->store().journal_of(kind, 0).value().size(); }

};

TEST_F(EpochsTest, ARecordMovesWhenItIsUsedAndTheOldKeyDies) {
  const std::string one = add("one"), two = add("two");
  ASSERT_TRUE(rotate(*session_, "owner"));
  EXPECT_EQ(status(1), "draining");
  EXPECT_EQ(status(2), "live");
  EXPECT_EQ(destroy_epoch(*session_, 1).error().code, Errc::epoch_in_use);
  ASSERT_TRUE(rewrap(*session_, {row(one)}));
  EXPECT_EQ(row(one).body["epoch"].int_or(0), 2);
  EXPECT_EQ(status(1), "draining");
  ASSERT_TRUE(reveal_record(*session_, row(two)));
  EXPECT_EQ(status(1), "destroyed");
  EXPECT_EQ(session_->keys().epochs(), std::vector<std::uint32_t>{2});
  EXPECT_FALSE(files::exists(home_ + "/blobs/api_key/1"));
  reopen();
  EXPECT_EQ(value(one), "one");
  EXPECT_EQ(value(two), "two");
  for (const journal::Kind kind : {journal::Kind::epoch_rotated, journal::Kind::epoch_drained, journal::Kind::epoch_destroyed})
    EXPECT_EQ(rows_of(kind), 1U);
}

TEST_F(EpochsTest, TheCurrentEpochAndAnUnknownOneAreNotDestroyed) {
  EXPECT_EQ(destroy_epoch(*session_, 1).error().code, Errc::not_found);
  EXPECT_EQ(destroy_epoch(*session_, 9).error().code, Errc::not_found);
}

TEST_F(EpochsTest, TheScheduleIsAWeekAndTheSweepComesBeforeTheDeadline) {
  add("one");
  clock_.pass(kEpochLife - 1);
  EXPECT_FALSE(*rotation_due(*session_));
  clock_.pass(1);
  EXPECT_TRUE(*rotation_due(*session_));
  session_->lock();
  EXPECT_TRUE((*epochs_to_json(*session_))["overdue"].bool_or(false));  // told while locked too
  ASSERT_TRUE(session_->unlock(key()));
  ASSERT_TRUE(rotate(*session_, "schedule"));
  EXPECT_FALSE(*rotation_due(*session_));
  EXPECT_FALSE(*sweep_due(*session_));
  clock_.pass(kDrainTime - kSweepAhead);
  EXPECT_TRUE(*sweep_due(*session_));
  sweep_all();
  EXPECT_FALSE(*sweep_due(*session_));
  EXPECT_EQ(status(1), "destroyed");
}

TEST_F(EpochsTest, AClockThatWasAYearAheadDoesNotStopTheSchedule) {
  clock_.pass(365 * kDay);
  add("one");
  ASSERT_TRUE(rotate(*session_, "schedule"));
  ASSERT_TRUE(reveal_record(*session_, row(add("two"))));
  clock_.pass(-365 * kDay);
  EXPECT_TRUE(*rotation_due(*session_));
  EXPECT_TRUE(*sweep_due(*session_));
  EXPECT_EQ(reveal_record(*session_, row(add("three")))->left, 2);
}

TEST_F(EpochsTest, ManyEpochsAreSweptBeforeTheirDeadline) {
  for (std::size_t n = 0; n <= kMostDraining; ++n) {
    EXPECT_FALSE(*sweep_due(*session_));
    add("one");
    ASSERT_TRUE(rotate(*session_, "owner"));
  }
  EXPECT_TRUE(*sweep_due(*session_));
}

TEST_F(EpochsTest, AnEmptyEpochDiesAtOnce) {
  ASSERT_TRUE(rotate(*session_, "owner"));
  EXPECT_EQ(status(1), "destroyed");
}

// A record whose blob was harmed is not dropped, keeps its epoch, and moves once the blob is back.
TEST_F(EpochsTest, ADamagedRecordIsLeftWhereItIs) {
  const std::string good = add("good"), bad = add("bad");
  const std::string path = home_ + "/blobs/api_key/1/" + row(bad).body["blob"].text_or("") + ".enc";
  const Bytes whole = contents(path);
  files::resize_file(path, 20);
  ASSERT_TRUE(rotate(*session_, "owner"));
  std::set<std::string> damaged;
  while (*sweep(*session_, 1, damaged) > 0) {
  }
  EXPECT_EQ(damaged, std::set<std::string>{bad});
  EXPECT_EQ(row(good).body["epoch"].int_or(0), 2);
  EXPECT_EQ(row(bad).body["epoch"].int_or(0), 1);
  EXPECT_EQ(status(1), "draining");
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(whole.data()), static_cast<std::streamsize>(whole.size()));
  sweep_all();
  EXPECT_EQ(value(bad), "bad");
  EXPECT_EQ(status(1), "destroyed");
}

TEST_F(EpochsTest, TheTrashMovesToo) {
  const std::string id = add("one");
  ASSERT_TRUE(trash_record(*session_, row(id)));
  ASSERT_TRUE(rotate(*session_, "owner"));
  sweep_all();
  EXPECT_EQ(row(id).body["epoch"].int_or(0), 2);
  ASSERT_TRUE(untrash_record(*session_, row(id)));
  EXPECT_EQ(value(id), "one");
}

TEST_F(EpochsTest, TheTrashIsShreddedAfterThirtyDays) {
  const std::string id = add("one");
  const std::string path = home_ + "/blobs/api_key/1/" + row(id).body["blob"].text_or("") + ".enc";
  ASSERT_TRUE(trash_record(*session_, row(id)));
  clock_.pass(30 * kDay);
  EXPECT_EQ(*shred_overdue(*session_), 0U);
  clock_.pass(365 * kDay);  // a wrong clock, for one unlock
  EXPECT_EQ(*shred_overdue(*session_), 0U);
  clock_.pass(-364 * kDay);
  EXPECT_EQ(*shred_overdue(*session_), 0U);
  clock_.pass(kDay - 1);
  EXPECT_EQ(*shred_overdue(*session_), 0U);
  EXPECT_TRUE(files::exists(path));
  clock_.pass(1);
  const Bytes blob = contents(path);
  EXPECT_EQ(*shred_overdue(*session_), 1U);
  EXPECT_FALSE(files::exists(path));
  // A kill before the file was removed: it goes after the next unlock, and not in a month.
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(blob.data()), static_cast<std::streamsize>(blob.size()));
  EXPECT_EQ(*remove_orphans(*session_), 1U);
  EXPECT_FALSE(files::exists(path));
  EXPECT_EQ(rows_of(journal::Kind::record_shredded), 1U);
  EXPECT_FALSE(*session_->store().get(store::Table::records, id));
  reopen();
  EXPECT_EQ(*session_->store().count_records(), 0);
}

TEST_F(EpochsTest, ThreeRevealsAnHourAlsoAfterARestart) {
  const std::string id = add("one");
  for (std::int64_t left : {2, 1, 0}) {
    const auto revealed = reveal_record(*session_, row(id));
    ASSERT_TRUE(revealed);
    EXPECT_EQ(revealed->left, left);
    clock_.pass(60);
  }
  reopen();
  const auto refused = reveal_record(*session_, row(id));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::rate_limited);
  EXPECT_NE(refused.error().detail.find(rfc3339(clock_.now() - 180 + kRevealWindow)), std::string::npos)
      << refused.error().detail;
  clock_.pass(kRevealWindow - 180);
  EXPECT_TRUE(reveal_record(*session_, row(id)));
}

TEST_F(EpochsTest, AnEditIsANewVersionUnderTheCurrentKey) {
  const std::string id = add("one");
  const Bytes old_blob = read_record_blob(*session_, row(id)).value();
  const BlobPlace old_place = place_of(row(id));
  SecretFields changes;
  ASSERT_TRUE(changes.set("key", as_bytes("two")));
  const auto view = edit_record(*session_, row(id), "renamed", changes);
  ASSERT_TRUE(view) << view.error().message();
  EXPECT_EQ(view->label, "renamed");
  EXPECT_EQ(value(id), "two");
  EXPECT_EQ(place_of(row(id)).version, 2U);
  BlobPlace now = old_place;
  now.version = 2;
  EXPECT_FALSE(open_record(session_->keys(), now, old_blob));  // an older version does not pass for the new one
  reopen();
  EXPECT_EQ(value(id), "two");
}

// What a copy of the home from any time in the past, without its vault.enc, gives to somebody who has the whole of
// today's vault and its key: the live epochs' blobs and no other.
TEST_F(EpochsTest, TwentyEpochsLaterOldCopiesOpenNothing) {
  struct Copy {
    BlobPlace place;
    Bytes blob;
    std::string value;
  };
  std::vector<Copy> copies;
  std::vector<Bytes> states;
  std::set<std::string> seen;
  std::vector<std::string> ids;
  std::mt19937 random(20);
  const auto copy_all = [&] {
    const auto records = session_->store().all(store::Table::records).value();
    for (const store::Row& record : records) {
      const std::string blob = record.body["blob"].text_or("");
      if (seen.insert(blob).second)
        copies.push_back({place_of(record), read_record_blob(*session_, record).value(), value(record.id)});
    }
  };
  for (int epoch = 1; epoch <= 20; ++epoch) {
    for (int n = 0; n < 3; ++n) ids.push_back(add("value " + std::to_string(epoch) + "." + std::to_string(n)));
    copy_all();
    for (int n = 0; n < 2; ++n) {
      SecretFields changes;
      ASSERT_TRUE(changes.set("key", as_bytes("edited " + std::to_string(random()))));
      ASSERT_TRUE(edit_record(*session_, row(ids[random() % ids.size()]), std::nullopt, changes));
      copy_all();
    }
    states.push_back(contents(home_ + "/state.db"));
    states.push_back(contents(home_ + "/state.db-wal"));
    if (epoch < 20) {
      ASSERT_TRUE(rotate(*session_, "owner"));
    }
    std::set<std::string> damaged;
    if (epoch % 3 == 0) {
      while (*sweep(*session_, 7, damaged) > 0) copy_all();
    } else {
      ASSERT_TRUE(sweep(*session_, static_cast<std::int64_t>(random() % 5), damaged));
      copy_all();
    }
  }
  // Some records stay in older epochs, so that more than one is live.
  const std::vector<std::uint32_t> live = session_->keys().epochs();
  EXPECT_GT(live.size(), 1U);
  EXPECT_LT(live.size(), 6U);
  session_->lock();

  // From here on only today's vault.enc and its key.
  const auto document = open_vault(key(), contents(home_ + "/vault.enc"));
  ASSERT_TRUE(document);
  const Keyring today = Keyring::from_document(*document).value();
  EXPECT_EQ(today.epochs(), live);
  std::size_t opened = 0, closed = 0;
  for (const Copy& copy : copies) {
    const bool is_live = today.has_epoch(copy.place.epoch);
    const auto fields = open_record(today, copy.place, copy.blob);
    ASSERT_EQ(fields.has_value(), is_live) << "epoch " << copy.place.epoch;
    if (fields) EXPECT_EQ(as_text(*fields->find("key", SecretAccess{})), copy.value);
    ++(is_live ? opened : closed);
    if (is_live) continue;
    for (const std::uint32_t epoch : live) {
      BlobPlace elsewhere = copy.place;
      elsewhere.epoch = epoch;
      EXPECT_FALSE(open_record(today, elsewhere, copy.blob));
    }
  }
  EXPECT_GT(opened, 20U);
  EXPECT_GT(closed, 60U);
  // No state.db of any time holds a key or a value.
  for (const Bytes& state : states) {
    for (const Copy& copy : copies) EXPECT_EQ(as_text(state).find(copy.value), std::string_view::npos);
    for (const std::uint32_t epoch : live) {
      const std::string name = "epoch." + std::to_string(epoch);
      const std::string hex(as_text(document->find(name)->reveal(SecretAccess{})));
      EXPECT_EQ(as_text(state).find(hex), std::string_view::npos);
      EXPECT_EQ(as_text(state).find(as_text(*from_hex(hex))), std::string_view::npos);
    }
  }
  std::puts((std::to_string(opened) + " blobs of live epochs opened, " + std::to_string(closed) + " of destroyed ones did not").c_str());
}

// The negative control of the test above: a vault that keeps its old keys is found.
TEST_F(EpochsTest, AKeptKeyWouldBeNoticed) {
  const std::string id = add("one");
  const Bytes blob = read_record_blob(*session_, row(id)).value();
  const BlobPlace place = place_of(row(id));
  const Keyring yesterday = session_->keys().clone();
  ASSERT_TRUE(rotate(*session_, "owner"));
  sweep_all();
  EXPECT_FALSE(open_record(session_->keys(), place, blob));
  EXPECT_TRUE(open_record(yesterday, place, blob));
}

TEST_F(EpochsTest, BlobsThatNoRecordNamesAreRemoved) {
  const std::string id = add("one");
  ASSERT_TRUE(rotate(*session_, "owner"));
  sweep_all();
  ASSERT_TRUE(write_blob(real_fs(), home_, "card", 1, "blb_dead", Bytes(40, 1)));
  ASSERT_TRUE(write_blob(real_fs(), home_, "api_key", 2, "blb_left", Bytes(40, 1)));
  ASSERT_TRUE(write_blob(real_fs(), home_, "card", 7, "blb_later", Bytes(40, 1)));
  const auto age = [&](const std::string& blob, Seconds days) {
    const timespec at{clock_.now() - days * kDay, 0};
    const timespec times[2] = {at, at};
    ASSERT_EQ(utimensat(AT_FDCWD, (home_ + "/blobs/" + blob + ".enc").c_str(), times, 0), 0);
  };
  for (const char* blob : {"api_key/2/blb_left", "card/7/blb_later"}) age(blob, 29);
  EXPECT_EQ(*remove_orphans(*session_), 1U);  // of the dead epoch
  EXPECT_FALSE(files::exists(home_ + "/blobs/card/1"));
  for (const char* blob : {"api_key/2/blb_left", "card/7/blb_later"}) age(blob, 31);
  const std::string own = home_ + "/blobs/api_key/2/" + row(id).body["blob"].text_or("") + ".enc";
  files::rename(own, own + ".away");
  EXPECT_EQ(*remove_orphans(*session_), 0U);  // a record misses its blob
  files::rename(own + ".away", own);
  EXPECT_EQ(*remove_orphans(*session_), 2U);
  EXPECT_EQ(value(id), "one");
}

TEST_F(EpochsTest, ARevocationWithoutItsRotationIsMadeGood) {
  add("one");
  store::Row agent{"agt_a", 0, {}};
  agent.body.set("status", "active");
  auto tx = session_->begin().value();
  ASSERT_TRUE(tx.put(store::Table::agents, agent));
  ASSERT_TRUE(tx.journal(journal::Kind::agent_added, {}));
  ASSERT_TRUE(session_->commit(tx));
  EXPECT_FALSE(*revoked_since_rotation(*session_));
  session_->lock();
  ASSERT_TRUE(session_->narrow("revoke", "agt_a"));
  ASSERT_TRUE(session_->unlock(key()));
  EXPECT_TRUE(*revoked_since_rotation(*session_));
  reopen();
  EXPECT_TRUE(*revoked_since_rotation(*session_));
  ASSERT_TRUE(rotate(*session_, "agent_revoked"));
  EXPECT_FALSE(*revoked_since_rotation(*session_));
}

}  // namespace
}  // namespace popvault
