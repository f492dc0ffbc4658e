// Whose signatures are owner proofs: the key that the passphrase (or the machine) gives, and public keys that the owner
// enrolled beside it.
//
// An enrolled one is a row of the table `authenticators` (kind, label, public_key, created_at) and a member of vault.enc,
// written in one commit; a proof counts while its key is in the keyring. After a cut-off the sealed rows decide. They
// are not in backups: a restored vault has its passphrase alone. Needs the vault unlocked. The loop's thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "session/session.hpp"

namespace popvault {

constexpr std::size_t kMostAuthenticators = 16;  // besides the passphrase
constexpr std::string_view kPassphraseAuthenticator = "passphrase";  // its id and its kind

struct Authenticator {
  std::string id;  // "aut_" and 26 characters
  std::string kind;  // "passphrase", "ssh" or "raw"
  std::string label;
  crypto::PublicKey key;
  Seconds created_at = 0;  // 0: not known
};

// The passphrase's first.
Result<std::vector<Authenticator>> authenticators(Session& session);
// Fails with invalid_field (no point of the curve, or a label that is not plain text), already_exists, limit_exceeded.
Result<Authenticator> add_authenticator(Session& session, std::string_view kind, std::string_view label,
                                        const crypto::PublicKey& key);
// Its proofs end at once. The passphrase cannot be removed (unsupported).
Status remove_authenticator(Session& session, std::string_view id);
// After an unlock: the keyring has what the rows say.
Status reconcile_authenticators(Session& session);

}  // namespace popvault
