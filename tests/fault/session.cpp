// fault_session ACTION HOME [BYTE]: the daemon's own changes of a whole home (state.db, blobs, vault.enc), one at a
// time, without its sockets, for test_session_sweep.py. The vault key is 32 times BYTE (7), or the machine's.
//
//   prepare   a vault with one card      init    makes the vault in an empty home
//   unlock    opens it                   add     adds a second card
//   freeze    freezes it                 lock    closes it
//   narrow    freezes it while locked
//   check     opens everything and prints "uninitialised", or "records 1 frozen 0 journal ok"
//   contents  the same, and a line with id, kind and SHA-256 of the fields for each record (test_daemon_kill_sweep.py)
//   cut_off   makes each approved purchase one whose fill was cut off
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "crypto/digest.hpp"
#include "ledger/purchases.hpp"
#include "session/records.hpp"
#include "session/session.hpp"
#include "vault/vault_key.hpp"

namespace {

using namespace popvault;



constexpr unsigned long kMark = 0x706f7076;

std::uint8_t key_byte = 7;
SecretBytes key() { return SecretBytes::copy_of(Bytes(32, key_byte)); }
void mark() { syscall(SYS_personality, kMark); }

Status add_card(Session& session) {
  SecretFields card;
  PV_TRY(card.set("number", as_bytes("4242424242424242")));
  PV_TRY(card.set("exp_month", as_bytes("12")));
  PV_TRY(card.set("exp_year", as_bytes("2034")));
  PV_TRY(popvault::add_record(session, "card", "Card", std::move(card)));
  return {};
}

Result<SecretBytes> key_of(Session& session) {
  const auto mode = session.mode();
  if (!mode || *mode == VaultMode::passphrase) return key();
  return derive_machine_key(session.fs(), session.home(), *mode);
}

Status check(Session& session, bool contents) {
  if (session.state() == State::uninitialised) {
    std::puts("uninitialised");
    return {};
  }
  if (session.state() == State::damaged) return tl::unexpected(session.damage());
  PV_ASSIGN(SecretBytes opens, key_of(session));
  PV_TRY(session.unlock(std::move(opens)));
  PV_ASSIGN(const auto rows, session.store().all(store::Table::records));
  for (const auto& row : rows) {
    PV_TRY(popvault::view_of(session, row));
    PV_ASSIGN(const Bytes blob, popvault::read_record_blob(session, row));
    PV_ASSIGN(const SecretFields fields, open_record(session.keys(), popvault::place_of(row), blob));
    if (contents)
      std::printf("%s %s %s\n", row.id.c_str(), row.body["kind"].text_or("?").c_str(),
                  crypto::sha256(fields.reveal(SecretAccess{})).hex().c_str());
  }
  PV_TRY(session.verify_mirror());
  std::printf("records %zu frozen %d journal ok\n", rows.size(), session.frozen());
  return {};
}

Status cut_off(Session& session) {
  PV_ASSIGN(auto rows, session.store().purchases_with_status("approved"));
  for (store::Row& row : rows) {
    PV_ASSIGN(auto tx, session.begin());
    PV_TRY(session.book().move(tx, row, "filling"));
    PV_TRY(tx.journal(journal::Kind::use_begin, {}));
    PV_TRY(session.commit(tx));
  }
  return {};
}

Status run(const std::string& action, const std::string& home) {
  if (action == "init") mark();
  PV_ASSIGN(const auto session, Session::open(home, real_fs(), system_clock()));
  if (action == "init") return session->init(VaultMode::passphrase, key());
  if (action == "check") return check(*session, false);
  if (action == "contents") return check(*session, true);
  if (action == "prepare") {
    PV_TRY(session->init(VaultMode::passphrase, key()));
    PV_TRY(session->unlock(key()));
    PV_TRY(add_card(*session));
    session->lock();
    return {};
  }
  if (action == "narrow") {
    mark();
    return session->set_frozen(true);
  }
  if (action == "unlock") mark();
  PV_TRY(session->unlock(key()));
  if (action == "unlock") return {};
  if (action == "cut_off") return cut_off(*session);
  mark();
  if (action == "add") return add_card(*session);
  if (action == "freeze") return session->set_frozen(true);
  if (action == "lock") session->lock();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 2;
  if (argc == 4) key_byte = static_cast<std::uint8_t>(std::strtoul(argv[3], nullptr, 10));
  umask(077);  // as the daemon does first
  const Status done = run(argv[1], argv[2]);
  if (done) return 0;
  std::printf("refused: %s: %s\n", std::string(info(done.error().code).word).c_str(), done.error().message().c_str());
  return 1;
}
