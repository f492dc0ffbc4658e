// Closing descriptors that a peer chose.
//
// close() of a socket with SO_LINGER, of a file on a FUSE mount or of a socket that holds such ones may block for
// as long as its maker likes: never on the thread that serves others. Each side has threads of its own, one for each
// close that hangs, so that agents cannot keep the owner's from ending; they live as long as the process. Any thread
// may call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "os/descriptor.hpp"

namespace popvault {

enum class Closing : std::uint8_t { owners, agents };
void close_elsewhere(Descriptor descriptor, Closing side = Closing::owners);
// How many have not ended. With kMostClosing of a side nothing more should be taken from it.
constexpr std::size_t kMostClosing = 48;
std::size_t closing(Closing side);

// What a passed descriptor is, learned without asking the file system behind it.
enum class PassedKind { secret_memory, pipe, file, other };
PassedKind kind_of_passed(int descriptor);
// The same pipe with flags of its own, so that the sender cannot make our reads block.
Descriptor reopen_pipe(Descriptor pipe);

}  // namespace popvault
