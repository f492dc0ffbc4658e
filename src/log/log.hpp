// The log of the daemon and the watcher: one line per event on standard error, never a secret, a key or vault content.
#pragma once

#include <string>
#include <string_view>

namespace popvault {

// Once, before the first line, with the program's name.
void start_log(const std::string& program);
void log_info(std::string_view line);
void log_warning(std::string_view line);

}  // namespace popvault
