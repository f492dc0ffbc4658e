#include "vault/keyring.hpp"

#include <gtest/gtest.h>

#include "crypto/kdf.hpp"
#include "vault/blob.hpp"
#include "vault/secret_hex.hpp"

namespace popvault {
namespace {

std::string hex(const SecretBytes& s) { return to_hex(s.reveal(SecretAccess{})); }

VaultDocument document() {
  VaultDocument out;
  out.set_text("schema", "2");
  out.set_text("vault_id", "vlt_abcdefghijklmnopqrstuvwxyz");
  out.set_text("mode", "passphrase");
  out.set_text("umk", std::string(64, '1'));
  out.set_text("epoch.3", std::string(64, '3'));
  out.set_text("epoch.12", std::string(64, 'c'));
  out.set_text("owner.key.1", std::string(64, 'a'));
  out.set_text("frozen", "0");
  out.set_text("journal_seq", "18446744073709551615");
  out.set_text("journal_hash", std::string(64, 'b'));
  out.set_text("a.later.one", "kept");
  return out;
}

Errc refusal(const char* name, const char* value) {
  VaultDocument d = document();
  if (value == nullptr) {
    d.erase(name);
  } else {
    d.set_text(name, value);
  }
  const auto keys = Keyring::from_document(d);
  return keys ? Errc::internal : keys.error().code;
}

TEST(Keyring, IsReadAndWrittenBack) {
  const Keyring keys = Keyring::from_document(document()).value();
  EXPECT_EQ(keys.vault_id(), "vlt_abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(keys.mode(), VaultMode::passphrase);
  EXPECT_FALSE(keys.frozen());
  EXPECT_EQ(keys.journal().sequence, UINT64_MAX);
  EXPECT_EQ(keys.epochs(), (std::vector<std::uint32_t>{3, 12}));
  EXPECT_EQ(keys.current_epoch(), 12U);
  EXPECT_EQ(keys.owner_keys().size(), 1U);
  EXPECT_TRUE(keys.to_document() == document());
  EXPECT_TRUE(keys.clone().to_document() == document());
}

TEST(Keyring, ANewOneIsReadAgain) {
  const Keyring one = Keyring::create(VaultMode::machine_oss);
  const Keyring two = Keyring::create(VaultMode::machine_oss);
  EXPECT_EQ(one.vault_id().size(), 30U);
  EXPECT_NE(one.vault_id(), two.vault_id());
  EXPECT_NE(hex(one.subkey("row")), hex(two.subkey("row")));
  const VaultDocument written = one.to_document();
  const Keyring again = Keyring::from_document(written).value();
  EXPECT_TRUE(again.to_document() == written);
  EXPECT_EQ(again.current_epoch(), 1U);
  EXPECT_FALSE(again.frozen());
}

TEST(Keyring, MalformedMembersAreRefused) {
  for (const char* name : {"schema", "vault_id", "mode", "umk", "journal_seq", "journal_hash"})
    EXPECT_EQ(refusal(name, nullptr), Errc::vault_corrupt) << name;
  EXPECT_EQ(refusal("schema", "3"), Errc::newer_version);
  EXPECT_EQ(refusal("recovery.key", "1234"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("recovery.signing", std::string(64, 'd').c_str()), Errc::vault_corrupt);  // without its key
  EXPECT_EQ(refusal("schema", "1"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("schema", "02"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("mode", "open"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("umk", "11"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("umk", std::string(64, 'g').c_str()), Errc::vault_corrupt);
  EXPECT_EQ(refusal("umk", std::string(64, 'A').c_str()), Errc::vault_corrupt);
  EXPECT_EQ(refusal("epoch.x", std::string(64, '1').c_str()), Errc::vault_corrupt);
  EXPECT_EQ(refusal("epoch.0", std::string(64, '1').c_str()), Errc::vault_corrupt);
  EXPECT_EQ(refusal("epoch.4", "11"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("epoch.4294967296", std::string(64, '1').c_str()), Errc::vault_corrupt);
  EXPECT_EQ(refusal("owner.key.2", "zz"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("frozen", "2"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("journal_seq", "-1"), Errc::vault_corrupt);
  EXPECT_EQ(refusal("vault_id", "../x"), Errc::vault_corrupt);
  VaultDocument none = document();
  none.erase("epoch.3");
  none.erase("epoch.12");
  EXPECT_EQ(Keyring::from_document(none).error().code, Errc::vault_corrupt);
}

TEST(Keyring, AMissingFrozenFlagMeansFrozen) {
  VaultDocument d = document();
  d.erase("frozen");
  EXPECT_TRUE(Keyring::from_document(d)->frozen());
}

TEST(Keyring, KeysAreDerivedAsTheFormatSays) {
  const Keyring keys = Keyring::from_document(document()).value();
  const SecretBytes umk = SecretBytes::copy_of(Bytes(32, 0x11));
  EXPECT_EQ(hex(keys.subkey("row")), hex(crypto::hkdf_sha256(umk, "popvault:row")));
  const SecretBytes epoch = SecretBytes::copy_of(Bytes(32, 0xcc));
  EXPECT_EQ(hex(*keys.record_key(12, "rec_1")), hex(crypto::hkdf_sha256(epoch, "popvault:record:rec_1")));
  EXPECT_EQ(keys.record_key(2, "rec_1").error().code, Errc::state_corrupt);
}

TEST(Keyring, EpochsBeginAndEnd) {
  Keyring keys = Keyring::create(VaultMode::passphrase);
  EXPECT_FALSE(keys.destroy_epoch(1)) << "the current one";
  EXPECT_EQ(keys.begin_epoch(), 2U);
  EXPECT_TRUE(keys.record_key(1, "r"));
  EXPECT_TRUE(keys.destroy_epoch(1));
  EXPECT_FALSE(keys.destroy_epoch(1));
  EXPECT_FALSE(keys.record_key(1, "r"));
  EXPECT_EQ(keys.begin_epoch(), 3U);
}

TEST(Keyring, OwnerKeysAreASet) {
  Keyring keys = Keyring::create(VaultMode::passphrase);
  crypto::PublicKey key;
  key.bytes[0] = 9;
  keys.add_owner_key(key);
  keys.add_owner_key(key);
  EXPECT_EQ(keys.owner_keys().size(), 1U);
  keys.remove_owner_key(key);
  EXPECT_TRUE(keys.owner_keys().empty());
}

TEST(Keyring, SubjectKeysGoForwardsOnly) {
  Keyring keys = Keyring::create(VaultMode::passphrase);
  EXPECT_FALSE(keys.subject_key("agt_one", 10));
  ASSERT_TRUE(keys.begin_subject("agt_one", 10));
  EXPECT_FALSE(keys.subject_key("agt_one", 9)) << "before it began";
  const auto tenth = keys.subject_key("agt_one", 10), twelfth = keys.subject_key("agt_one", 12);
  ASSERT_TRUE(tenth && twelfth);
  EXPECT_NE(*tenth, *twelfth);
  Keyring read = Keyring::from_document(keys.to_document()).value();
  EXPECT_EQ(read.subject_key("agt_one", 12), twelfth) << "kept in vault.enc";
  EXPECT_TRUE(read.forget_before(12));
  EXPECT_FALSE(read.forget_before(12)) << "done already";
  EXPECT_FALSE(read.subject_key("agt_one", 10));
  EXPECT_FALSE(read.subject_key("agt_one", 11));
  EXPECT_EQ(read.subject_key("agt_one", 12), twelfth) << "the newer weeks stay as they were";
  EXPECT_EQ(keys.clone().subject_key("agt_one", 10), tenth);
  read.drop_subject("agt_one");
  EXPECT_FALSE(read.has_subject("agt_one"));
  EXPECT_FALSE(read.to_document().has("subject.agt_one"));
}

TEST(Keyring, MalformedSubjectsAreRefused) {
  Keyring keys = Keyring::create(VaultMode::passphrase);
  for (const char* name : {"subject.", "subject.A", "subject.a/b"}) {
    VaultDocument document = keys.to_document();
    document.set_text(name, std::string(72, '0'));
    EXPECT_FALSE(Keyring::from_document(document)) << name;
  }
  VaultDocument document = keys.to_document();
  document.set_text("subject.agt_one", std::string(70, '0'));
  EXPECT_EQ(Keyring::from_document(document).error().code, Errc::vault_corrupt);
  document.set_text("subject.agt_one", std::string(72, '0'));
  EXPECT_TRUE(Keyring::from_document(document)) << "the control";
}

TEST(SecretHex, BothWaysForEveryByte) {
  Bytes all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  const SecretBytes text = secret_to_hex(SecretBytes::copy_of(all));
  EXPECT_EQ(as_text(text.reveal(SecretAccess{})), to_hex(all));
  EXPECT_TRUE(secret_from_hex(text, 256).value() == SecretBytes::copy_of(all));
  EXPECT_FALSE(secret_from_hex(text, 255));
  for (unsigned c = 0; c < 256; ++c) {
    const Bytes two = {'0', static_cast<std::uint8_t>(c)};
    const bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    EXPECT_EQ(secret_from_hex(SecretBytes::copy_of(two), 1).has_value(), good) << c;
  }
}

SecretFields card_fields() {
  SecretFields out;
  EXPECT_TRUE(out.set("number", as_bytes("4242424242424242")));
  return out;
}

const BlobPlace kPlace{1, "rec_a", "card", 7};

TEST(Blob, AssociatedDataIsCanonicalJson) {
  EXPECT_EQ(blob_associated_data(kPlace, "vlt_x"),
            R"({"epoch":1,"record":"rec_a","type":"card","vault":"vlt_x","version":7})");
}

TEST(Blob, OpensInItsPlaceOnly) {
  Keyring keys = Keyring::create(VaultMode::passphrase);
  keys.begin_epoch();
  const Bytes blob = seal_record(keys, kPlace, card_fields()).value();
  const SecretFields opened = open_record(keys, kPlace, blob).value();
  EXPECT_EQ(as_text(*opened.find("number", SecretAccess{})), "4242424242424242");
  const auto refused = [&](BlobPlace place) {
    const auto fields = open_record(keys, place, blob);
    return !fields && fields.error().code == Errc::state_corrupt;
  };
  EXPECT_TRUE(refused({2, "rec_a", "card", 7}));
  EXPECT_TRUE(refused({1, "rec_b", "card", 7}));
  EXPECT_TRUE(refused({1, "rec_a", "login", 7}));
  EXPECT_TRUE(refused({1, "rec_a", "card", 8}));
  EXPECT_TRUE(refused({9, "rec_a", "card", 7}));
  EXPECT_TRUE(refused({1, "rec\"a", "card", 7}));
  VaultDocument moved = keys.to_document();
  moved.set_text("vault_id", "vlt_other");
  EXPECT_FALSE(open_record(Keyring::from_document(moved).value(), kPlace, blob))
      << "another vault, same keys";
}

TEST(Blob, OpensStraightIntoTheCallersMemoryAndWipesItOnFailure) {
  const Keyring keys = Keyring::create(VaultMode::passphrase);
  Bytes blob = seal_record(keys, kPlace, card_fields()).value();
  Bytes out(kMaxFieldsSize, 0xee);
  const std::size_t size = open_record_into(keys, kPlace, blob, out).value();
  EXPECT_TRUE(SecretFields::well_formed(ByteView(out).first(size)));
  blob[20] ^= 1;
  EXPECT_FALSE(open_record_into(keys, kPlace, blob, out));
  EXPECT_EQ(out, Bytes(kMaxFieldsSize, 0));
  for (const std::size_t n : {std::size_t{0}, std::size_t{27}, std::size_t{28}, blob.size() - 1})
    EXPECT_EQ(open_record_into(keys, kPlace, ByteView(blob).first(n), out).error().code, Errc::state_corrupt);
}

}  // namespace
}  // namespace popvault
