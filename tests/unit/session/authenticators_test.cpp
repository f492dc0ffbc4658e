// Enrolled keys on a real folder: rows and keyring in one commit, and in line again after a cut-off.

#include "session/authenticators.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "crypto/random.hpp"

namespace popvault {
namespace {

namespace files = std::filesystem;

SecretBytes vault_key(std::uint8_t byte = 7) { return SecretBytes::copy_of(Bytes(32, byte)); }
crypto::PublicKey new_key() { return crypto::SigningKey::from_seed(crypto::random_secret(32)).public_key(); }

class AuthenticatorsTest : public testing::Test {
 protected:
  void SetUp() override {
    umask(077);
    std::string name = (files::temp_directory_path() / "pv-auth-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    home_ = name;
    session_ = std::move(*Session::open(home_, real_fs(), system_clock()));
    ASSERT_TRUE(session_->init(VaultMode::passphrase, vault_key()));
    ASSERT_TRUE(session_->unlock(vault_key()));
  }
  void TearDown() override {
    session_.reset();
    files::remove_all(home_);
  }
  void reopen(std::uint8_t byte = 7) {
    session_.reset();
    session_ = std::move(*Session::open(home_, real_fs(), system_clock()));
    const Status unlocked = session_->unlock(vault_key(byte));
    ASSERT_TRUE(unlocked) << unlocked.error().message();
  }
  bool proves(const crypto::PublicKey& key) {
    const auto& keys = session_->keys().owner_keys();
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  }
  std::string home_;
  std::unique_ptr<Session> session_;
};

TEST_F(AuthenticatorsTest, ThePassphraseIsAlwaysThere) {
  const auto all = authenticators(*session_);
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().kind, "passphrase");
  EXPECT_EQ(all->front().key, session_->own_proof_key());
  EXPECT_EQ(remove_authenticator(*session_, "passphrase").error().code, Errc::unsupported);
}

TEST_F(AuthenticatorsTest, AddedAndRemovedWithTheKeyring) {
  const crypto::PublicKey key = new_key();
  const auto added = add_authenticator(*session_, "ssh", "my key", key);
  ASSERT_TRUE(added);
  EXPECT_TRUE(proves(key));
  EXPECT_EQ(add_authenticator(*session_, "raw", "again", key).error().code, Errc::already_exists);
  EXPECT_EQ(add_authenticator(*session_, "raw", "own", session_->own_proof_key()).error().code, Errc::already_exists);
  reopen();
  EXPECT_TRUE(proves(key));
  EXPECT_EQ(authenticators(*session_)->at(1).label, "my key");
  ASSERT_TRUE(remove_authenticator(*session_, added->id));
  EXPECT_FALSE(proves(key));
  EXPECT_EQ(remove_authenticator(*session_, added->id).error().code, Errc::not_found);
  reopen();
  EXPECT_FALSE(proves(key));
  EXPECT_EQ(authenticators(*session_)->size(), 1U);
  EXPECT_TRUE(add_authenticator(*session_, "ssh", "my key", key)) << "it may come back";
}

TEST_F(AuthenticatorsTest, WrongKeysAndLabels) {
  crypto::PublicKey small;  // the neutral element, of small order
  small.bytes[0] = 1;
  crypto::PublicKey none;
  none.bytes.fill(0xff);
  for (const crypto::PublicKey& key : {small, none, crypto::PublicKey{}})
    EXPECT_EQ(add_authenticator(*session_, "raw", "x", key).error().code, Errc::invalid_field);
  for (const std::string& label : {std::string(), std::string(65, 'x'), std::string("a\nb"), std::string("\xff")})
    EXPECT_EQ(add_authenticator(*session_, "raw", label, new_key()).error().code, Errc::invalid_field);
}

TEST_F(AuthenticatorsTest, Sixteen) {
  for (std::size_t i = 0; i < kMostAuthenticators; ++i) ASSERT_TRUE(add_authenticator(*session_, "raw", "x", new_key()));
  EXPECT_EQ(add_authenticator(*session_, "raw", "x", new_key()).error().code, Errc::limit_exceeded);
}

TEST_F(AuthenticatorsTest, AnotherPassphraseLeavesThem) {
  const crypto::PublicKey key = new_key(), before = session_->own_proof_key();
  ASSERT_TRUE(add_authenticator(*session_, "raw", "x", key));
  ASSERT_TRUE(session_->rekey(VaultMode::passphrase, vault_key(9)));
  EXPECT_TRUE(proves(key));
  EXPECT_FALSE(proves(before));
  EXPECT_TRUE(proves(session_->own_proof_key()));
  reopen(9);
  EXPECT_TRUE(proves(key));
  EXPECT_FALSE(proves(before));
}

// A commit that was cut off before vault.enc: the sealed rows decide.
TEST_F(AuthenticatorsTest, CutOffBetweenTheTwoFiles) {
  const std::string kept = home_ + "/before";
  const auto cut_off = [&](const auto& change) {
    files::copy_file(home_ + "/vault.enc", kept, files::copy_options::overwrite_existing);
    change();
    session_.reset();
    files::copy_file(kept, home_ + "/vault.enc", files::copy_options::overwrite_existing);
    files::remove(kept);
    reopen();
  };
  const crypto::PublicKey key = new_key();
  cut_off([&] { ASSERT_TRUE(add_authenticator(*session_, "raw", "x", key)); });
  EXPECT_TRUE(proves(key));
  const std::string id = authenticators(*session_)->at(1).id;
  cut_off([&] { ASSERT_TRUE(remove_authenticator(*session_, id)); });
  EXPECT_FALSE(proves(key));
}

}  // namespace
}  // namespace popvault
