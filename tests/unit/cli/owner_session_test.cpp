#include "cli/owner_session.hpp"

#include <gtest/gtest.h>

#include "cli/daemon_start.hpp"
#include "cli/local_files.hpp"
#include "crypto/digest.hpp"
#include "crypto/sign.hpp"
#include "secret/bundle.hpp"
#include "support/fake_server.hpp"
#include "vault/vault_key.hpp"

namespace popvault::cli {
namespace {

using test::FakeServer;
using test::Heard;

struct Wrong {
  std::string domain = "popvault-owner-proof-v1";
  std::string purpose = "purchase.approve";
  std::string vault = "vlt_1";
  bool other_request = false;
  bool spaces = false;
  bool one_more = false;
  std::int64_t valid = 120;
  std::string nonce = std::string(64, '0');
};

std::string challenge_for(const Heard& heard, const Wrong& wrong) {
  Json challenge =
      Json::Object{{"domain", wrong.domain},
                   {"issued_at", 1'800'000'000},
                   {"expires_at", 1'800'000'000 + wrong.valid},
                   {"purpose", wrong.purpose},
                   {"request_hash", wrong.other_request ? Json(std::string(64, 'a'))
                                                        : heard.request["params"]["request_hash"]},
                   {"vault", wrong.vault},
                   {"nonce", wrong.nonce}};
  if (wrong.one_more) challenge.set("also", "this");
  return wrong.spaces ? challenge.pretty() : challenge.dump();
}

// A daemon of `home` that gives the challenge and remembers whether anything signed came.
struct Daemon {
  explicit Daemon(const Wrong& wrong)
      : server([this, wrong](const Heard& heard) -> std::optional<std::string> {
          const std::string method = heard.request["method"].text_or("");
          if (method == "owner.hello")
            return FakeServer::result(heard, Json::Object{{"home", "/tmp/pv-h"},
                                                          {"mode", "passphrase"},
                                                          {"state", "unlocked"},
                                                          {"vault", "vlt_1"},
                                                          {"version", "1"}});
          if (method == "proof.challenge") {
            challenge = challenge_for(heard, wrong);
            hash = heard.request["params"]["request_hash"].text_or("");
            return FakeServer::result(heard, Json::Object{{"challenge", challenge}});
          }
          proof = heard.request["params"]["proof"];
          return FakeServer::result(heard, Json::Object{{"purchase", "pur_1"}, {"status", "approved"}});
        }) {}
  std::string challenge, hash;
  Json proof;
  FakeServer server;
};

Result<Json> approve(const Daemon& daemon, const SecretBytes& key) {
  Arguments args;
  const Context context{args, Paths{"/tmp/pv-h", daemon.server.folder()}};
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context, IfStopped::refuse));
  return session.call_with_proof("purchase.approve", Json::Object{{"purchase", "pur_1"}}, key_signer(key));
}

TEST(OwnerProof, SignsExactlyTheChallenge) {
  Daemon daemon{Wrong{}};
  const SecretBytes key = SecretBytes::zeros(32);
  ASSERT_TRUE(approve(daemon, key));
  EXPECT_EQ(daemon.hash,
            crypto::sha256(as_bytes(R"({"method":"purchase.approve","params":{"purchase":"pur_1"}})")).hex());
  EXPECT_EQ(daemon.proof["challenge"].text_or(""), daemon.challenge);
  const auto signer = crypto::SigningKey::from_seed(owner_proof_seed(key));
  EXPECT_EQ(daemon.proof["public_key"].text_or(""), signer.public_key().hex());
  EXPECT_EQ(daemon.proof["signature"].text_or(""), signer.sign(as_bytes(daemon.challenge)).hex());
}

TEST(OwnerProof, NothingElseIsEverSigned) {
  const Wrong rows[] = {
      {.domain = "another-domain"}, {.purpose = "agent.add"}, {.vault = "vlt_2"},
      {.other_request = true},      {.spaces = true},        {.one_more = true},
      {.valid = 121},               {.valid = -1},           {.nonce = "00"},
  };
  for (const Wrong& wrong : rows) {
    Daemon daemon{wrong};
    const auto result = approve(daemon, SecretBytes::zeros(32));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::internal);
    EXPECT_TRUE(daemon.proof.is_null());
  }
}

TEST(OwnerSession, AStoppedDaemonIsNotStartedUnlessAsked) {
  Arguments args;
  const Context context{args, Paths{"/tmp/pv-none", "/tmp/pv-none/run"}};
  EXPECT_EQ(OwnerSession::open(context, IfStopped::refuse).error().code, Errc::daemon_unreachable);
  EXPECT_NE(access("/tmp/pv-none", F_OK), 0);
}

TEST(DaemonLog, TheLastLineTellsTheError) {
  const Error insecure = error_of_log_line(
      "popvaultd: a file or folder has the wrong owner, mode or type: vault.enc is open to group or others "
      "(run popvault doctor to see which; make it yours, 0600 (folders 0700))");
  EXPECT_EQ(insecure.code, Errc::insecure_file);
  EXPECT_EQ(insecure.detail, "vault.enc is open to group or others");
  EXPECT_EQ(error_of_log_line("popvaultd: another popvaultd has this home").code, Errc::daemon_running);
  EXPECT_EQ(error_of_log_line("something else").code, Errc::daemon_unreachable);
  EXPECT_EQ(error_of_log_line("something else").detail, "something else");
  EXPECT_EQ(error_of_log_line("").code, Errc::daemon_unreachable);
}

TEST(NewFile, NeverOverAnotherAndPrivate) {
  char name[] = "/tmp/pv-new-XXXXXX";
  const std::string folder = mkdtemp(name);
  const std::string path = folder + "/key";
  ASSERT_TRUE(write_new_file(path, as_bytes("one")));
  FileStat st;
  ASSERT_EQ(real_fs().stat_path(path, st), 0);
  EXPECT_EQ(st.mode, 0600U);
  EXPECT_EQ(write_new_file(path, as_bytes("two")).error().code, Errc::already_exists);
  EXPECT_EQ(as_text(*read_named_file(path, 16)), "one");
  EXPECT_EQ(list_dir(real_fs(), folder)->size(), 1U);
  EXPECT_EQ(write_new_file(folder + "/no/key", as_bytes("x")).error().code, Errc::io_error);
  unlink(path.c_str());
  rmdir(folder.c_str());
}

}  // namespace
}  // namespace popvault::cli
