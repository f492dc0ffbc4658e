// The body with the real values in it, byte by byte, so that the caller alone decides where the bytes stand.
//
// Nothing here keeps or copies a value: a byte goes from the caller's secret memory through `put` at once.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "wire/match.hpp"

namespace popvault::wire {

// Views into secret memory. month: two digits; year: four.
struct Values {
  ByteView number, exp_month, exp_year, cvc, holder;
};

// Whether the values fit the plan's holes: there, digits, and as long as the aliases were. Ask before render().
bool fits(const Plan& plan, const Values& values) noexcept;

namespace detail {

inline bool is_plain_in_form(std::uint8_t c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*' || c == '-' || c == '.' ||
         c == '_';
}

template <class Put>
void put_escaped(std::uint8_t c, Escape escape, Put& put) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  const auto text = [&put](std::string_view s) {
    for (const char each : s) put(static_cast<std::uint8_t>(each));
  };
  if (escape == Escape::form && c == ' ') {
    put(static_cast<std::uint8_t>('+'));
  } else if (escape == Escape::form && !is_plain_in_form(c)) {
    put(static_cast<std::uint8_t>('%'));
    put(static_cast<std::uint8_t>(kHex[c >> 4]));
    put(static_cast<std::uint8_t>(kHex[c & 15]));
  } else if (escape == Escape::json && c < 0x20) {
    text("\\u00");
    put(static_cast<std::uint8_t>(kHex[c >> 4]));
    put(static_cast<std::uint8_t>(kHex[c & 15]));
  } else {
    if (escape == Escape::json && (c == '"' || c == '\\')) put(static_cast<std::uint8_t>('\\'));
    put(c);
  }
}

template <class Put>
void put_hole(const Hole& hole, const Values& values, Put& put) {
  if (hole.place == Place::holder) {
    for (const std::uint8_t c : values.holder) put_escaped(c, hole.escape, put);
    return;
  }
  ByteView digits = hole.place == Place::cvc ? values.cvc : values.number;
  for (std::size_t i = 0; i < hole.shape.size(); ++i) {
    const char code = hole.shape[i];
    std::size_t run = 1;
    while (i + run < hole.shape.size() && hole.shape[i + run] == code) ++run;
    if (code == '#') {
      put_escaped(digits.front(), hole.escape, put);
      digits = digits.subspan(1);
    } else if (code == 'M') {
      if (run == 2 || values.exp_month[0] != '0') put_escaped(values.exp_month[0], hole.escape, put);
      put_escaped(values.exp_month[1], hole.escape, put);
      i += run - 1;
    } else if (code == 'Y') {
      for (const std::uint8_t c : values.exp_year.last(run)) put_escaped(c, hole.escape, put);
      i += run - 1;
    } else {
      put_escaped(static_cast<std::uint8_t>(code), hole.escape, put);
    }
  }
}

}  // namespace detail

// Calls put(std::uint8_t) for each byte of the body. The values fit (see above).
template <class Put>
void render(const Plan& plan, const Values& values, Put&& put) {
  for (const Piece& piece : plan.pieces) {
    if (const auto* plain = std::get_if<std::string>(&piece)) {
      for (const char c : *plain) put(static_cast<std::uint8_t>(c));
    } else {
      detail::put_hole(*std::get_if<Hole>(&piece), values, put);
    }
  }
}

// How many bytes render() gives.
std::size_t rendered_size(const Plan& plan, const Values& values) noexcept;

// RFC 4648 section 4 with padding, as a sink in front of another: put(base64 character). finish() once at the end.
template <class Put>
class Base64Sink {
 public:
  explicit Base64Sink(Put put) : put_(std::move(put)) {}
  Base64Sink(const Base64Sink&) = delete;
  Base64Sink& operator=(const Base64Sink&) = delete;
  ~Base64Sink() { forget(); }

  void operator()(std::uint8_t byte) {
    held_ = held_ << 8 | byte;
    if (++count_ < 3) return;
    characters(4);
  }
  void finish() {
    if (count_ == 0) return;
    const unsigned missing = 3 - count_;
    held_ = held_ << 8 * missing;
    characters(4 - missing);
    for (unsigned i = 0; i < missing; ++i) put_(static_cast<std::uint8_t>('='));
  }

 private:
  void characters(unsigned n) {
    static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (unsigned i = 0; i < n; ++i) put_(static_cast<std::uint8_t>(kDigits[held_ >> (18 - 6 * i) & 63]));
    forget();
  }
  void forget() noexcept {
    volatile std::uint32_t* held = &held_;
    *held = 0;
    count_ = 0;
  }

  Put put_;
  std::uint32_t held_ = 0;
  unsigned count_ = 0;
};

constexpr std::size_t base64_size(std::size_t bytes) noexcept { return (bytes + 2) / 3 * 4; }

}  // namespace popvault::wire
