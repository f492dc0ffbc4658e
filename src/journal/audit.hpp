// A whole journal: its chain and its checkpoints. Pure; one thread at a time.
//
// A good checkpoint covers every row before it and itself: its body says nothing that is not signed. Rows before a
// `vault_restored` row may hold checkpoints of an older key, because a restored vault has new keys; they are held
// against the key they name, and what covers their rows is a later checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "journal/checkpoint.hpp"

namespace popvault::journal {

// Whose checkpoints they must be. Without a key each one is held against the key that it names itself.
struct Signer {
  std::string vault;
  std::optional<crypto::PublicKey> key;
};

struct Audit {
  Head head;
  std::uint64_t checkpoints = 0;
  std::optional<Checkpoint> last;  // the newest one of the signer
  // The rows up to this one are covered: that of the newest checkpoint.
  std::uint64_t covered() const noexcept { return last ? last->head.seq + 1 : 0; }
};

// Feed it every row in order, then ask. After an error it is of no use.
class Auditor {
 public:
  explicit Auditor(Signer signer, const Head& from = {}) : signer_(std::move(signer)), chain_(from) {}
  // Fails with journal_broken or checkpoint_invalid.
  Status add(const Row& row);
  Result<Audit> finish() const;

 private:
  Status check(const Row& row, const Head& before);
  Signer signer_;
  Verifier chain_;
  Audit audit_;
  std::optional<Error> foreign_;  // a checkpoint of another key that no restore has explained yet
};

}  // namespace popvault::journal
