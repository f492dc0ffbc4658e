#include "session/checkpoints.hpp"

namespace popvault {

Status append_checkpoint(Session& session, store::Transaction& tx) {
  const Seconds now = session.clock().now();
  return tx.journal(journal::Kind::checkpoint, journal::to_json(session.sign_head(tx.head(), now)), now);
}

bool checkpoint_due(Session& session) {
  const store::Checkpointed& last = session.store().last_checkpoint();
  const std::uint64_t behind = session.store().head().seq - last.seq;
  const Seconds now = session.clock().now();
  // A clock that was set back makes one too, of the new time.
  return behind >= kCheckpointRows || (behind > 0 && (now - last.at >= kCheckpointTime || now < last.at));
}

Status keep_checkpoints(Session& session) {
  if (!session.has_store() || !session.store().unsealed() || !checkpoint_due(session)) return {};
  PV_ASSIGN(auto tx, session.begin());
  PV_TRY(append_checkpoint(session, tx));
  return session.commit(tx);
}

journal::Signer journal_signer(Session& session) { return {session.vault_id(), session.journal_key()}; }

}  // namespace popvault
