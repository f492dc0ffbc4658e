#include "session/file_check.hpp"

#include "crypto/aead.hpp"
#include "crypto/digest.hpp"
#include "vault/vault_file.hpp"

namespace popvault {
namespace {

constexpr const char* kBothBack =
    "put vault.enc and state.db back from the same copy of the home, the newest one; without one, move this home aside and "
    "run popvault backup restore";

using Problems = std::vector<FileProblem>;

void check_vault(Session& session, Problems& out) {
  const auto file = read_vault(session.fs(), session.home());
  if (!file && file.error().code == Errc::vault_missing) return out.push_back({"vault.enc", "vault.enc is gone", kBothBack});
  if (!file) return out.push_back({"vault.enc", file.error().message(), std::string(info(file.error().code).todo)});
  if (file->size() < crypto::kAeadOverhead)
    return out.push_back({"vault.enc", "vault.enc is cut to " + std::to_string(file->size()) + " bytes", kBothBack});
  const std::string digest = crypto::sha256(*file).hex();
  for (const char* name : {"vault_sha256", "vault_sha256_next"})
    if (const auto known = session.store().meta(name); known && *known && **known == digest) return;
  out.push_back({"vault.enc", "vault.enc is not the one that state.db knows: one of them is older, damaged or of another vault",
                 kBothBack});
}

void check_mode(Session& session, Problems& out) {
  const auto mode = session.mode();
  if (mode) return;
  const auto known = session.store().meta("mode");
  const bool word = mode.error().code == Errc::vault_mode_mismatch && known && *known;
  out.push_back({".vault_mode", word ? ".vault_mode is missing or holds another word" : mode.error().message(),
                 word ? "write this one word into it, mode 0600: " + **known : std::string(info(mode.error().code).todo)});
}

void check_state(Session& session, const std::optional<Error>& refused, Problems& out) {
  const Status verified = session.state() == State::unlocked ? session.verify_mirror()
                          : refused                          ? Status(tl::unexpected(*refused))
                                                             : Status{};
  if (verified) return;
  const Errc code = verified.error().code;
  if (code == Errc::state_corrupt || code == Errc::state_rolled_back || code == Errc::journal_broken)
    out.push_back({"state.db", "state.db: " + verified.error().message(), kBothBack});
}

void check_narrowed(Session& session, Problems& out) {
  const Status mark = session.check_narrowed_mark();
  if (mark) return;
  out.push_back({".narrowed", ".narrowed: " + mark.error().message(),
                 "put the newest state.db back; if it is .narrowed itself that was harmed, move it away, unlock, and look at "
                 "what was denied, revoked or frozen"});
}

void check_slot(Session& session, Problems& out) {
  const auto enrolled = session.store().exists(store::Table::settings, kRecoveryRow);
  if (!enrolled || !*enrolled) return;
  const auto slot = read_owned(session.fs(), recovery_slot_path(session.home()), kMaxSlotFile);
  if (slot) return;
  out.push_back({"slots/recovery.slot", "recovery.slot: " + slot.error().message(),
                 "unlock with the passphrase, which writes it again; until then the recovery words do not help"});
}

}  // namespace

Problems check_files(Session& session, const std::optional<Error>& refused) {
  Problems out;
  check_vault(session, out);
  check_mode(session, out);
  check_state(session, refused, out);
  check_narrowed(session, out);
  check_slot(session, out);
  return out;
}

}  // namespace popvault
