// What the process gives up before it reads a byte from the browser. Called in this order by main; each returns
// false when it did not take effect, and main ends then.
#pragma once

namespace popvault::injector {

void clear_environment() noexcept;
// No ptrace, no /proc/PID/mem by the same user.
bool make_undumpable() noexcept;
bool forbid_core() noexcept;
bool forbid_new_privileges() noexcept;
// A tracer that was there before keeps access to the registers.
bool refuse_tracer() noexcept;
// Whether 5 is a pipe or socket that can be written: the browser's, behind the guard.
bool has_browser_pipe() noexcept;
// All but 0 to 4, or with a browser's pipe 0 to 5.
bool close_other_descriptors(bool pipe) noexcept;
// Makes the arena of secret memory: its system call is forbidden later.
void reserve_secret_memory();
// Seccomp, whole process, for good; any other call kills it with SIGSYS. Left over: reading and writing 1 to 4
// and what arrives, writing 5 if there is a browser's pipe, recvmsg and sendmsg on 3, memory without execution, time,
// random bytes and exit. Built with a sanitizer it allows what the sanitizer's runtime needs as well.
bool install_filter(bool pipe = false) noexcept;

}  // namespace popvault::injector
