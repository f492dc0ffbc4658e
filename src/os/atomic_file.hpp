// Replacing a file so that at every instant, whatever is killed, full or failing, its name leads to the whole
// old content or the whole new content.
//
// write_atomic makes a new 0600 file `.<name>.tmp-<random>` beside it, writes and syncs it, reads it back,
// compares it and gives what was read to `verify`, renames it over the old one, syncs the directory and looks
// at the result once more. On failure the old file is as it was and the temporary is removed. One exception,
// named in the error's detail ("is written, but ..."): when the rename is done and the directory cannot be
// synced or the result not be looked at, the new content is in place and only its surviving a power cut is
// unknown.
//
// A process that is killed in between leaves the temporary; wipe_stale_temporaries removes those at start,
// which is safe because a home has one daemon. Any thread, but one writer per path.
#pragma once

#include <functional>
#include <string>

#include "os/fs.hpp"

namespace popvault {

// Given the bytes as the disk gives them back; an error keeps the old file.
using ReadBack = std::function<Status(ByteView)>;

Status write_atomic(Fs& fs, const std::string& path, ByteView content, const ReadBack& verify = {});

// Removes the temporaries in one directory and gives their number. An absent directory has none.
Result<std::size_t> wipe_stale_temporaries(Fs& fs, const std::string& dir);
// Removes a file and syncs its directory; an absent one is no error.
Status remove_file(Fs& fs, const std::string& path);

}  // namespace popvault
