// Backups, as the daemon makes, checks and restores them (docs/BACKUP_FORMAT.md).
//
// A backup is sealed to the owner's recovery key, to further recipients, and to a key of the current epoch, with which
// the vault itself opens its recent backups until that epoch is destroyed. It is signed with the seed that the recovery
// words give, or, where there are none, with a key of the vault.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backup/backup.hpp"
#include "daemon/application.hpp"
#include "daemon/call.hpp"

namespace popvault::daemon {

// The key that signs this vault's backups.
crypto::SigningKey backup_signer(const Keyring& keys);

// The newest backup that this home knows of, by vault: the file .backups. It survives the files of the vault, so that a
// restore into the same home notices an older one. 0: none.
Result<std::int64_t> newest_known(Fs& fs, const std::string& home, std::string_view vault);
Status remember_backup(Fs& fs, const std::string& home, std::string_view vault, std::int64_t counter);

}  // namespace popvault::daemon
