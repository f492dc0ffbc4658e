#include "base/result.hpp"

#include <array>
#include <cerrno>
#include <cstring>

namespace popvault {
namespace {

constexpr ErrcInfo kTable[] = {
#define POPVAULT_ERRC(word, code, exit_status, retryable, text, todo) \
  {Errc::word, #word, code, exit_status, retryable, text, todo},
#include "base/errc.def"
#undef POPVAULT_ERRC
};

}  // namespace

std::span<const ErrcInfo> errc_table() noexcept { return kTable; }

const ErrcInfo& info(Errc code) noexcept { return kTable[static_cast<std::size_t>(code)]; }

const ErrcInfo* find_errc(std::string_view word) noexcept {
  for (const ErrcInfo& row : kTable)
    if (row.word == word) return &row;
  return nullptr;
}

std::string Error::message() const {
  std::string out{info(code).text};
  if (!detail.empty()) out.append(": ").append(detail);
  return out;
}

tl::unexpected<Error> fail_errno(int error, std::string_view what) {
  const Errc code = (error == ENOSPC || error == EDQUOT || error == EFBIG) ? Errc::disk_full : Errc::io_error;
  std::array<char, 128> text{};
  // The GNU form: the returned pointer is what counts.
  const char* reason = strerror_r(error, text.data(), text.size());
  return fail(code, std::string(what).append(": ").append(reason));
}

}  // namespace popvault
