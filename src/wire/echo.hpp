// Whether bytes hold a number: a response that would give the page what was substituted, or an alias where none may stand.
//
// Found: the digits in order or reversed, with up to eight characters that are neither letter nor digit between two of
// them (so grouped, UTF-16, UTF-32, in an array); the same percent-encoded, JSON- or HTML-escaped, escaped twice, in hex of
// either case, in base64 and base64url at every offset. Three or four digits (a code, the last four) say nothing alone and
// are not looked for.
//
// The number is a view into the caller's memory and must outlive the object; what is kept beside it are positions and at
// most the last four characters that were fed. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"

namespace popvault::wire {

class EchoCheck {
 public:
  // `number`: 12 to 19 digits; anything else is never found.
  explicit EchoCheck(ByteView number) noexcept : number_(number) {}
  ~EchoCheck();
  EchoCheck(const EchoCheck&) = delete;
  EchoCheck& operator=(const EchoCheck&) = delete;

  // May be called with pieces of any size. What was found once stays found.
  void feed(ByteView bytes) noexcept;
  bool found() const noexcept { return found_; }

 private:
  // Where in the number, forwards and backwards, what was read so far can end: one bit for each digit.
  struct Digits {
    std::uint32_t forward = 0, backward = 0;
    std::uint8_t gap = 0;
  };
  // Undoes %XX, \uXXXX, \xXX, &#N;, &#xN; and &name; (as a space).
  struct Unescape {
    std::uint8_t state = 0, count = 0;
    std::uint32_t value = 0;
  };

  void digit_stream(Digits& state, std::uint8_t c) noexcept;
  // Gives at most two bytes.
  static unsigned unescape(Unescape& state, std::uint8_t c, std::array<std::uint8_t, 2>& out) noexcept;
  void hex(std::uint8_t c) noexcept;
  void base64(std::uint8_t c) noexcept;
  void sextet(std::uint8_t value) noexcept;
  void end_of_base64() noexcept;
  void byte(std::uint8_t c) noexcept;

  ByteView number_;
  bool found_ = false;
  Digits raw_, once_, twice_;
  Unescape first_, second_;
  std::array<Digits, 2> hex_{};
  std::array<Digits, 4> base64_{};
  std::uint32_t hex_held_ = 0, base64_held_ = 0;
  std::uint8_t hex_count_ = 0, base64_phase_ = 0;
};

inline bool holds_number(std::string_view text, ByteView number) noexcept {
  EchoCheck check(number);
  check.feed(as_bytes(text));
  return check.found();
}

}  // namespace popvault::wire
