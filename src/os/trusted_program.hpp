// A program that the owner named and that we start, or a folder: nobody but the owner and root could have put it there.
#pragma once

#include <string>

#include "base/result.hpp"
#include "os/descriptor.hpp"

namespace popvault {

// Whether a text is an absolute path without ".", ".." and empty parts, of at most 1024 printable ASCII characters. Looks
// at no file.
bool plain_absolute_path(std::string_view path) noexcept;

// The program, open for execveat(2): what runs is the file that was looked at. Every part of the path is a folder of root
// or ours, no symbolic link, and writable by nobody else (a sticky folder such as /tmp may be: what is ours in it stays
// ours); the file is regular, executable, of root or ours, and writable by its owner alone. Fails with insecure_file or
// not_found, the detail names the part. The descriptor is not close-on-exec: a script's interpreter opens it.
Result<Descriptor> open_trusted_program(const std::string& path);

// The same for a folder that is ours (not root's) and writable by us alone.
Result<Descriptor> open_own_folder(const std::string& path);

}  // namespace popvault
