#include "cli/ssh_agent.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/signer.hpp"
#include "crypto/random.hpp"

namespace popvault::cli {
namespace {

void put(ByteWriter& out, ByteView bytes) { out.u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes); }
void put(ByteWriter& out, std::string_view text) { put(out, as_bytes(text)); }

Bytes blob(std::string_view kind, std::size_t size) {
  ByteWriter out;
  put(out, kind);
  put(out, Bytes(size, 5));
  return out.bytes();
}

Bytes answer(const std::vector<Bytes>& blobs, std::uint32_t count) {
  ByteWriter out;
  out.u8(12).u32(count);
  for (const Bytes& one : blobs) {
    put(out, one);
    put(out, "a comment");
  }
  return out.bytes();
}

Bytes signature(std::string_view kind, std::size_t size) {
  ByteWriter inner, out;
  put(inner, kind);
  put(inner, Bytes(size, 6));
  out.u8(14);
  put(out, inner.bytes());
  return out.bytes();
}

TEST(SshAgent, OnlyPlainEd25519KeysCount) {
  const auto found = parse_identities(
      answer({blob("ssh-rsa", 300), blob("ssh-ed25519", 32), blob("sk-ssh-ed25519@openssh.com", 32)}, 3));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().comment, "a comment");
  EXPECT_EQ(found->front().key.hex(), to_hex(Bytes(32, 5)));
  EXPECT_TRUE(parse_identities(answer({}, 0))->empty());
}

TEST(SshAgent, MalformedAnswersAreRefused) {
  Bytes trailing = answer({blob("ssh-ed25519", 32)}, 1), longer_blob = blob("ssh-ed25519", 32);
  trailing.push_back(0);
  longer_blob.push_back(0);
  const std::vector<Bytes> wrong = {
      {}, {12}, {5}, answer({blob("ssh-ed25519", 31)}, 1), answer({blob("ssh-ed25519", 33)}, 1), answer({longer_blob}, 1),
      answer({blob("ssh-ed25519", 32)}, 2), answer({}, 2049), answer({blob("ssh-ed25519", 32)}, 0), trailing,
      answer({Bytes{0, 0}}, 1)};
  for (const Bytes& one : wrong) EXPECT_EQ(parse_identities(one).error().code, Errc::authenticator_failed) << to_hex(one);
  const Bytes whole = answer({blob("ssh-ed25519", 32)}, 1);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(parse_identities(ByteView(whole).first(n))) << n;
}

TEST(SshAgent, Signatures) {
  EXPECT_EQ(parse_signature(signature("ssh-ed25519", 64))->hex(), to_hex(Bytes(64, 6)));
  Bytes trailing = signature("ssh-ed25519", 64);
  trailing.push_back(0);
  const std::vector<Bytes> wrong = {{}, {5}, {14}, signature("ssh-ed25519", 63), signature("ssh-rsa", 64), trailing};
  for (const Bytes& one : wrong) EXPECT_EQ(parse_signature(one).error().code, Errc::authenticator_failed) << to_hex(one);
  const Bytes whole = signature("ssh-ed25519", 64);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(parse_signature(ByteView(whole).first(n))) << n;
}

// Key, fingerprint and line as ssh-keygen of OpenSSH 9.2 made and showed them.
TEST(SshAgent, PublicKeyFiles) {
  const std::string line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtRiAr9v0dfDlDe/VDovhDP815zBlIXqEGGhSick6g6 a name\n";
  const auto key = parse_public_key_line(line);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->comment, "a name");
  EXPECT_EQ(fingerprint_of(key->key), "SHA256:FWhCSwXwnsHf4SbSQtpYVd2PlzFUyM1ksJyAD6NjDHk");
  EXPECT_TRUE(parse_public_key_line("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtRiAr9v0dfDlDe/VDovhDP815zBlIXqEGGhSick6g6"));
  for (const char* wrong : {"", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 AAAA", "ssh-rsa AAAAB3NzaC1yc2E= x",
                            "ssh-ed25519-cert AAAA", "x\nssh-ed25519 AAAA"})
    EXPECT_EQ(parse_public_key_line(wrong).error().code, Errc::invalid_field) << wrong;
  EXPECT_FALSE(parse_public_key_line(line + line)) << "two keys";
}

Json enrolled(const crypto::PublicKey& key) {
  return Json::Object{{"authenticators", Json::Array{Json::Object{{"public_key", key.hex()}}}}};
}

TEST(CommandSigner, WhatItGaveIsLookedAt) {
  const auto key = crypto::SigningKey::from_seed(crypto::random_secret(32));
  const std::string text = "{\"a\":1}", good = key.public_key().hex() + " " + key.sign(as_bytes(text)).hex();
  const auto try_with = [&](const std::string& command) { return command_signer(command, enrolled(key.public_key()))(text); };
  const auto signed_text = try_with("echo " + good);
  ASSERT_TRUE(signed_text) << signed_text.error().message();
  EXPECT_EQ(signed_text->key, key.public_key());
  const std::string wrong[] = {
      "echo",  // nothing
      "echo " + key.public_key().hex(),
      "echo " + key.public_key().hex() + " " + key.sign(as_bytes("another text")).hex(),
      "echo " + good + " more", "echo " + good + "00", "cat", "false", "/nonexistent/signer", "yes " + good};
  for (const std::string& command : wrong) EXPECT_EQ(try_with(command).error().code, Errc::authenticator_failed) << command;
  EXPECT_EQ(try_with("  ").error().code, Errc::usage);
  const auto other = crypto::SigningKey::from_seed(crypto::random_secret(32));
  const std::string stranger = other.public_key().hex() + " " + other.sign(as_bytes(text)).hex();
  EXPECT_EQ(try_with("echo " + stranger).error().code, Errc::authenticator_failed) << "not enrolled";
}

TEST(CommandSigner, NoShell) {
  const auto key = crypto::SigningKey::from_seed(crypto::random_secret(32)).public_key();
  EXPECT_FALSE(command_signer("echo $(touch /tmp/pv-no-shell) ; touch /tmp/pv-no-shell", enrolled(key))("{}"));
  EXPECT_NE(access("/tmp/pv-no-shell", F_OK), 0);
}

}  // namespace
}  // namespace popvault::cli
