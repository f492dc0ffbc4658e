#include "log/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace popvault {

void start_log(const std::string& program) {
  auto logger = spdlog::stderr_logger_st(program);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S%z %n %l: %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void log_info(std::string_view line) { spdlog::info("{}", line); }
void log_warning(std::string_view line) { spdlog::warn("{}", line); }

}  // namespace popvault
