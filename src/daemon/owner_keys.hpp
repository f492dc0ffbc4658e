// What the status tells of recovery and backups, and keys that take long to derive.
#pragma once

#include "daemon/application.hpp"

namespace popvault::daemon {

// {recipient, created_at}, or null. Unlocked.
Result<Json> recovery_of(Session& session);
// Tries with wrong words in the last 30 days.
Result<std::int64_t> failed_recoveries(Session& session);

// Machine mode: scrypt off the loop, then goes on with the key unless the vault was locked meanwhile.
Status with_machine_key(Application& app, VaultMode mode, std::shared_ptr<Reply> reply,
                        std::function<Status(SecretBytes, Reply&)> then);

}  // namespace popvault::daemon
