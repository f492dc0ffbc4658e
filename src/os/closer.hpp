// Closing descriptors that a peer chose.
//
// close() of a socket with SO_LINGER, of a file on a FUSE mount or of a socket that holds such ones may block for
// as long as its maker likes: never on the thread that serves others. One thread of its own, which lives as long
// as the process. Any thread may call.
#pragma once

#include "os/descriptor.hpp"

namespace popvault {

void close_elsewhere(Descriptor descriptor);

// What a passed descriptor is, learned without asking the file system behind it.
enum class PassedKind { secret_memory, pipe, file, other };
PassedKind kind_of_passed(int descriptor);
// The same pipe with flags of its own, so that the sender cannot make our reads block.
Descriptor reopen_pipe(Descriptor pipe);

}  // namespace popvault
