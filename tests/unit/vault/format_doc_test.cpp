// Runs the examples of docs/VAULT_FORMAT.md, and reads the golden files that hold the same values. Both were
// made by another implementation.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "crypto/bip39.hpp"
#include "crypto/kdf.hpp"
#include "crypto/sign.hpp"
#include "vault/blob.hpp"
#include "vault/keyring.hpp"
#include "vault/masked_view.hpp"
#include "vault/recovery.hpp"
#include "vault/vault_key.hpp"

namespace popvault {
namespace {

std::string read_file(const std::string& name) {
  std::ifstream in(std::string(POPVAULT_SOURCE_DIR) + '/' + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The fenced blocks "```hex NAME" and "```text NAME" of the document, by name, as bytes.
std::map<std::string, std::string> examples() {
  std::map<std::string, std::string> out;
  std::istringstream in(read_file("docs/VAULT_FORMAT.md"));
  std::string name;
  std::string body;
  bool hex = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```hex ") || line.starts_with("```text ")) {
      hex = line[3] == 'h';
      name = line.substr(line.find(' ') + 1);
    } else if (line.starts_with("```") && !name.empty()) {
      const auto bytes = hex ? from_hex(body).value() : Bytes(body.begin(), body.end());
      out[name] = std::string(as_text(bytes));
      name.clear();
      body.clear();
    } else if (!name.empty()) {
      body += line;
    }
  }
  return out;
}

class FormatDoc : public testing::Test {
 protected:
  std::string example(const std::string& name) const {
    const auto found = examples_.find(name);
    EXPECT_NE(found, examples_.end()) << name;
    return found == examples_.end() ? "" : found->second;
  }
  SecretBytes vault_key() const { return SecretBytes::copy_of(as_bytes(example("vault-key"))); }
  Keyring keyring() const {
    return Keyring::from_document(open_vault(vault_key(), as_bytes(example("vault.enc"))).value()).value();
  }
  static std::string text(const SecretBytes& s) { return std::string(as_text(s.reveal(SecretAccess{}))); }
  std::map<std::string, std::string> examples_ = examples();
};

TEST_F(FormatDoc, TheVaultKeyAndTheOwnersKey) {
  const SecretBytes passphrase = SecretBytes::copy_of(as_bytes("correct horse battery staple"));
  const auto key = crypto::pbkdf2_passphrase_key(passphrase, as_bytes("0123456789abcdef0123456789abcdef"));
  EXPECT_EQ(text(*key), example("vault-key"));
  const SecretBytes seed = owner_proof_seed(*key);
  EXPECT_EQ(text(seed), example("owner-proof-seed"));
  const auto signing_key = crypto::SigningKey::from_seed(seed);
  EXPECT_EQ(as_text(signing_key.public_key().bytes), example("owner-public-key"));
}

TEST_F(FormatDoc, TheFileOpensToThePlaintext) {
  const VaultDocument document = open_vault(vault_key(), as_bytes(example("vault.enc"))).value();
  EXPECT_EQ(text(document.serialise()), example("plaintext"));
  const Keyring keys = keyring();
  EXPECT_EQ(keys.vault_id(), "vlt_aaaaaaaaaaaaaaaaaaaaaaaaaa");
  EXPECT_EQ(as_text(keys.owner_keys().at(0).bytes), example("owner-public-key"));
  EXPECT_EQ(text(keys.to_document().serialise()), example("plaintext"));
}

TEST_F(FormatDoc, TheWordsOpenTheSlot) {
  const SecretBytes words = SecretBytes::copy_of(as_bytes(example("words")));
  EXPECT_EQ(text(crypto::bip39_seed(words)), example("recovery-seed"));
  const RecoveryKeys keys = recovery_keys(words);
  EXPECT_EQ(text(keys.x25519), example("recovery-key"));
  EXPECT_EQ(text(keys.signing), example("recovery-signing-seed"));
  const crypto::X25519PublicKey public_key = crypto::x25519_public(keys.x25519);
  EXPECT_EQ(as_text(public_key.bytes), example("recovery-public-key"));
  EXPECT_EQ(age_recipient(public_key), example("recipient"));
  EXPECT_EQ(text(age_identity(keys.x25519)), example("identity"));
  const auto opened =
      open_slot(keys.x25519, "vlt_aaaaaaaaaaaaaaaaaaaaaaaaaa", as_bytes(example("recovery.slot")));
  ASSERT_EQ(opened.value().size(), 1U);
  EXPECT_EQ(text(opened->front()), example("vault-key"));
}

TEST_F(FormatDoc, TheBlobOpensToTheFields) {
  const Keyring keys = keyring();
  const BlobPlace place{1, "rec_a", "card", 1};
  EXPECT_EQ(text(*keys.record_key(1, "rec_a")), example("record-key"));
  EXPECT_EQ(blob_associated_data(place, keys.vault_id()), example("associated-data"));
  const SecretFields fields = open_record(keys, place, as_bytes(example("blob"))).value();
  EXPECT_EQ(as_text(fields.reveal(SecretAccess{})), example("fields"));
}

TEST_F(FormatDoc, TheViewColumnOpens) {
  const SecretBytes key = keyring().subkey("view");
  EXPECT_EQ(text(key), example("view-key"));
  const MaskedView view =
      open_view(key, "rec_a", "card", "tok_card_x", 1, as_bytes(example("view")), 1830297599).value();
  const MaskedView expected{"rec_a", "card", "tok_card_x",          "Test card",
                            "visa",  "4242", "****-****-****-4242", false};
  EXPECT_EQ(view, expected);
}

TEST_F(FormatDoc, GoldenFilesAreRead) {
  const VaultDocument document =
      open_vault(vault_key(), as_bytes(read_file("tests/golden/vault-schema-2.enc"))).value();
  const Keyring keys = Keyring::from_document(document).value();
  const std::string blob = read_file("tests/golden/blob-card.enc");
  const SecretFields fields = open_record(keys, {1, "rec_a", "card", 1}, as_bytes(blob)).value();
  EXPECT_EQ(as_text(*fields.find("number", SecretAccess{})), "4242424242424242");
  EXPECT_EQ(as_text(*fields.find("cvv", SecretAccess{})), "123");
}

}  // namespace
}  // namespace popvault
