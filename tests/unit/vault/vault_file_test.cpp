#include "vault/vault_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "crypto/compiled_salt.hpp"
#include "crypto/kdf.hpp"
#include "support/fault_sweep.hpp"
#include "vault/blob.hpp"
#include "vault/foreign.hpp"
#include "vault/keyring.hpp"
#include "vault/machine_id.hpp"
#include "vault/vault_key.hpp"

namespace popvault {
namespace {

namespace stdfs = std::filesystem;

SecretBytes key(std::uint8_t fill) { return SecretBytes::copy_of(Bytes(32, fill)); }

VaultDocument document(const char* text) {
  VaultDocument out;
  out.set_text("a", text);
  return out;
}

class HomeTest : public testing::Test {
 protected:
  HomeTest() {
    char name[] = "/tmp/popvault-home-XXXXXX";
    home_ = mkdtemp(name);
  }
  ~HomeTest() override { stdfs::remove_all(home_); }
  void make(const char* name, std::string_view text) const {
    const std::string path = home_ + '/' + name;
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), 0600);
  }
  std::string home_;
};

TEST_F(HomeTest, VaultIsWrittenAndRead) {
  EXPECT_EQ(read_vault(real_fs(), home_).error().code, Errc::vault_missing);
  ASSERT_TRUE(write_vault(real_fs(), home_, key(1), document("one")));
  ASSERT_TRUE(write_vault(real_fs(), home_, key(1), document("two")));
  const Bytes file = read_vault(real_fs(), home_).value();
  EXPECT_TRUE(open_vault(key(1), file).value() == document("two"));
  EXPECT_EQ(open_vault(key(2), file).error().code, Errc::wrong_key);
  EXPECT_EQ(open_vault(key(1), ByteView(file).first(27)).error().code, Errc::vault_corrupt);
  struct stat st {};
  ASSERT_EQ(lstat(vault_path(home_).c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0600U);
}

TEST_F(HomeTest, BytesThatTheKeyDoesNotOpenAreNeverPutInPlace) {
  ASSERT_TRUE(write_vault(real_fs(), home_, key(1), document("one")));
  const Bytes other = seal_vault(key(2), document("two")).value();
  EXPECT_EQ(write_sealed_vault(real_fs(), home_, key(1), other).error().code, Errc::wrong_key);
  EXPECT_TRUE(open_vault(key(1), read_vault(real_fs(), home_).value()).value() == document("one"));
  EXPECT_EQ(list_dir(real_fs(), home_)->size(), 1U);
}

TEST_F(HomeTest, AVaultOverOneMebibyteIsRefused) {
  EXPECT_EQ(seal_vault(key(1), document(std::string(kMaxVaultFile, 'x').c_str())).error().code,
            Errc::internal);
  make("vault.enc", std::string(kMaxVaultFile + 1, 'x'));
  EXPECT_EQ(read_vault(real_fs(), home_).error().code, Errc::vault_corrupt);
}

TEST_F(HomeTest, ModeMarker) {
  EXPECT_EQ(read_vault_mode(real_fs(), home_).error().code, Errc::vault_mode_mismatch);
  for (const VaultMode mode : {VaultMode::passphrase, VaultMode::machine_hardened, VaultMode::machine_oss}) {
    ASSERT_TRUE(write_vault_mode(real_fs(), home_, mode));
    const auto marker = read_vault_mode(real_fs(), home_).value();
    EXPECT_EQ(marker.mode, mode);
    EXPECT_FALSE(marker.rewritten);
  }
  for (const char* bad :
       {"", "Passphrase", "open", "passphrase\n\n", " passphrase", "passphrase passphrase"}) {
    make(".vault_mode", bad);
    EXPECT_EQ(read_vault_mode(real_fs(), home_).error().code, Errc::vault_mode_mismatch) << bad;
  }
  make(".vault_mode", std::string(100, 'x'));
  EXPECT_EQ(read_vault_mode(real_fs(), home_).error().code, Errc::vault_mode_mismatch);
}

TEST_F(HomeTest, OlderModeWordsAreRewritten) {
  for (const auto& [word, mode] :
       {std::pair{"hardened\n", VaultMode::machine_hardened}, {"oss", VaultMode::machine_oss}}) {
    make(".vault_mode", word);
    const auto first = read_vault_mode(real_fs(), home_).value();
    EXPECT_EQ(first.mode, mode);
    EXPECT_TRUE(first.rewritten);
    EXPECT_FALSE(read_vault_mode(real_fs(), home_)->rewritten);
    EXPECT_EQ(as_text(read_owned(real_fs(), home_ + "/.vault_mode", 64).value()), to_string(mode));
  }
}

TEST_F(HomeTest, MachineId) {
  make("system", " \t0123abcd \r\n\n");
  EXPECT_EQ(as_text(machine_id(real_fs(), home_, home_ + "/system").value()), "0123abcd");
  EXPECT_FALSE(stdfs::exists(home_ + "/.machine_id"));
}

TEST_F(HomeTest, WithoutASystemMachineIdOneIsKept) {
  make("blank", " \n");
  const Bytes first = machine_id(real_fs(), home_, home_ + "/absent").value();
  EXPECT_EQ(first.size(), 32U);
  EXPECT_EQ(machine_id(real_fs(), home_, home_ + "/blank").value(), first);
  EXPECT_EQ(foreign_machine_id(real_fs(), home_ + "/vault.enc", home_ + "/absent").value(), first);
  make(".machine_id", "short");
  EXPECT_EQ(machine_id(real_fs(), home_, home_ + "/absent").error().code, Errc::vault_corrupt);
}

TEST_F(HomeTest, MachineKeysByMode) {
  const SecretBytes oss = derive_machine_key(real_fs(), home_, VaultMode::machine_oss).value();
  const Bytes machine = machine_id(real_fs(), home_).value();
  EXPECT_TRUE(oss == crypto::scrypt_machine_key(machine, current_username(), crypto::public_salt()).value());
  const auto hardened = derive_machine_key(real_fs(), home_, VaultMode::machine_hardened);
  if (crypto::hardened_build()) {
    EXPECT_FALSE(hardened.value() == oss);
  } else {
    EXPECT_EQ(hardened.error().code, Errc::downgrade_refused);
  }
  EXPECT_EQ(derive_machine_key(real_fs(), home_, VaultMode::passphrase).error().code, Errc::internal);
}

TEST(CurrentUser, HasAName) { EXPECT_FALSE(current_username().empty()); }

TEST_F(HomeTest, Blobs) {
  ASSERT_TRUE(write_blob(real_fs(), home_, "card", 3, "blb_a", as_bytes("bytes")));
  EXPECT_TRUE(stdfs::exists(home_ + "/blobs/card/3/blb_a.enc"));
  EXPECT_EQ(as_text(read_blob(real_fs(), home_, "card", 3, "blb_a").value()), "bytes");
  EXPECT_EQ(read_blob(real_fs(), home_, "card", 3, "blb_b").error().code, Errc::state_corrupt);
  EXPECT_EQ(read_blob(real_fs(), home_, "card", 3, "../../x").error().code, Errc::state_corrupt);
  EXPECT_EQ(write_blob(real_fs(), home_, "../x", 3, "blb_a", {}).error().code, Errc::state_corrupt);
  EXPECT_EQ(list_blobs(real_fs(), home_, "card", 3).value(), std::vector<std::string>{"blb_a"});
  EXPECT_TRUE(list_blobs(real_fs(), home_, "card", 4)->empty());
  make("blobs/card/3/.blb_c.enc.tmp-1", "x");
  make(".vault.enc.tmp-2", "x");
  EXPECT_EQ(wipe_vault_temporaries(real_fs(), home_).value(), 2U);
  EXPECT_TRUE(remove_blob(real_fs(), home_, "card", 3, "blb_a"));
  EXPECT_TRUE(remove_blob(real_fs(), home_, "card", 3, "blb_a"));
  make("blobs/card/3/blb_d.enc", std::string(20'000, 'x'));
  EXPECT_EQ(read_blob(real_fs(), home_, "card", 3, "blb_d").error().code, Errc::state_corrupt);
}

test::Content look(Fs& fs) {
  const auto file = read_vault(fs, "/home");
  const auto opened = file ? open_vault(key(1), *file) : Result<VaultDocument>(tl::unexpected(file.error()));
  if (!opened) return test::Content::other;
  if (*opened == document("old")) return test::Content::old_one;
  return *opened == document("new and longer") ? test::Content::new_one : test::Content::other;
}

TEST(VaultSweep, EveryFaultKillAndPowerCutLeavesOldOrNew) {
  const auto setup = [](Fs& fs) { ASSERT_TRUE(write_vault(fs, "/home", key(1), document("old"))); };
  const auto write = [](Fs& fs) { return write_vault(fs, "/home", key(1), document("new and longer")); };
  const test::SweepReport report = test::FaultSweep(setup, write, look, 1).run();
  EXPECT_GT(report.cases, 300U);
  EXPECT_EQ(report.bad(), 0U);
}

TEST(VaultSweep, TheFirstVaultIsThereOrNot) {
  const auto first_look = [](Fs& fs) {
    const auto file = read_vault(fs, "/home");
    if (!file)
      return file.error().code == Errc::vault_missing ? test::Content::old_one : test::Content::other;
    return look(fs);
  };
  const auto write = [](Fs& fs) { return write_vault(fs, "/home", key(1), document("new and longer")); };
  for (std::size_t n = 1; n < 40; ++n) {
    test::MemoryFs memory;
    test::FaultyFs faulty(memory);
    faulty.kill_at(n);
    const Status status = write(faulty);
    for (const test::PowerCut cut : test::kPowerCuts) {
      test::MemoryFs after = memory.after(cut);
      const test::Content now = first_look(after);
      EXPECT_TRUE(now == test::Content::new_one || (now == test::Content::old_one && !status)) << n;
    }
  }
}

}  // namespace
}  // namespace popvault
