// Errors as values.
//
// Every fallible function returns Result<T>. An Error is one word of the closed list in errc.def and, where
// it helps, a detail that names the field, file or limit concerned. A detail never holds a secret, key
// material or vault content, nor text that a page or an agent made.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace popvault {

enum class Errc : std::uint8_t {
#define POPVAULT_ERRC(word, code, exit_status, retryable, text, todo) word,
#include "base/errc.def"
#undef POPVAULT_ERRC
};

struct ErrcInfo {
  Errc errc;
  std::string_view word;       // data.reason
  int code;                    // JSON-RPC code
  int exit_status;             // of the CLI
  bool retryable;
  std::string_view text;       // one line
  std::string_view todo;       // one line
};

// The whole table, in the order of errc.def.
std::span<const ErrcInfo> errc_table() noexcept;
const ErrcInfo& info(Errc code) noexcept;
// Null when no word of the list matches.
const ErrcInfo* find_errc(std::string_view word) noexcept;

struct Error {
  Errc code;
  std::string detail;
  // "text: detail", one line.
  std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Errc code, std::string detail = {}) {
  return tl::unexpected<Error>(Error{code, std::move(detail)});
}

// errno as io_error or disk_full; `what` names the call and the file.
tl::unexpected<Error> fail_errno(int error, std::string_view what);

}  // namespace popvault

// Return early with the error of `expr`.
#define PV_TRY(expr)                                            \
  do {                                                          \
    auto&& pv_status_ = (expr);                                 \
    if (!pv_status_) return ::tl::unexpected(std::move(pv_status_.error())); \
  } while (0)
#define PV_CONCAT2(a, b) a##b
#define PV_CONCAT(a, b) PV_CONCAT2(a, b)
// PV_ASSIGN(auto x, f()): x is the value, or return early with the error.
#define PV_ASSIGN(decl, expr) PV_ASSIGN_(decl, expr, PV_CONCAT(pv_result_, __LINE__))
#define PV_ASSIGN_(decl, expr, tmp)                           \
  auto tmp = (expr);                                          \
  if (!tmp) return ::tl::unexpected(std::move(tmp.error()));  \
  decl = std::move(*tmp)
