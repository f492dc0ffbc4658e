// Who this machine and this user are, for the machine key and as the salt of the passphrase key.
#pragma once

#include <string>

#include "base/result.hpp"
#include "os/fs.hpp"

namespace popvault {

// White space of ASCII removed at both ends.
ByteView trimmed(ByteView text) noexcept;

// /etc/machine-id, trimmed; where that is missing or empty, 32 random bytes kept in <home>/.machine_id (raw,
// 0600, made on first use). A .machine_id of another size is vault_corrupt. `system_file` is for tests.
Result<Bytes> machine_id(Fs& fs, const std::string& home, const std::string& system_file = "/etc/machine-id");

// The name of the effective user id, or the number as text when it has no name.
std::string current_username();

}  // namespace popvault
