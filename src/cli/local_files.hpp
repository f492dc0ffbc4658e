// The files that commands read or make besides the vault's own.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace popvault::cli {

// The word in .vault_mode as today's word; empty when there is no usable one. Changes nothing.
std::string mode_on_disk(const std::string& home);

// A new file with these bytes, 0600, whole or not at all: never over one that exists (already_exists).
Status write_new_file(const std::string& path, ByteView content);

// A file that the owner named, of any mode; a missing one is not_found.
Result<Bytes> read_named_file(const std::string& path, std::size_t limit);

}  // namespace popvault::cli
