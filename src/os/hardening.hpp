// What a process does first, before it reads anything that others made. Each function is one line of a main()
// and has a black-box test (tests/process/test_hardening.py).
#pragma once

#include <cstddef>

#include "base/result.hpp"

namespace popvault {

// No ptrace, no /proc/PID/mem and no core by processes of the same user.
Status forbid_inspection();
// A debugger that is attached already keeps its access: unsafe_environment.
Status refuse_tracer();
// Inside a user namespace made by the same user everybody there can read us, dumpable or not:
// unsafe_environment, unless the program is root's and unreadable (0711).
Status refuse_foreign_namespace();
Status forbid_core_files();
Status forbid_new_privileges();
// As many descriptors as connections may need, up to the hard limit.
void raise_descriptor_limit() noexcept;
std::size_t descriptor_limit() noexcept;
// 0600 and 0700 for whatever is made.
void set_private_umask() noexcept;
// Every variable; libraries read several of them.
void clear_environment() noexcept;
// Closes descriptor `first` and all above; 0, 1 and 2 are opened on /dev/null where they are closed.
void close_inherited_descriptors(int first) noexcept;
// A full disk or a gone peer is an error of a call, not a signal.
void ignore_file_signals() noexcept;

}  // namespace popvault
