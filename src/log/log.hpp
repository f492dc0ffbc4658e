// The daemon's log: one line per event on standard error, never a secret, a key or vault content.
#pragma once

#include <string>
#include <string_view>

namespace popvault {

// Once, before the first line.
void start_log();
void log_info(std::string_view line);
void log_warning(std::string_view line);

}  // namespace popvault
