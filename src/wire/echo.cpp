#include "wire/echo.hpp"

#include "secret/arena.hpp"

namespace popvault::wire {
namespace {

constexpr std::uint8_t kMaxGap = 8;

bool digit(std::uint8_t c) noexcept { return c >= '0' && c <= '9'; }
bool letter(std::uint8_t c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
int hex_value(std::uint8_t c) noexcept {
  if (digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
int base64_value(std::uint8_t c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (digit(c)) return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

// States of Unescape.
enum : std::uint8_t { kIdle, kPercent, kBackslash, kHexDigits, kAmpersand, kNamed, kHash, kDecimal, kHexEntity };

}  // namespace

EchoCheck::~EchoCheck() {
  wipe(&base64_held_, sizeof base64_held_);
  wipe(&hex_held_, sizeof hex_held_);
  wipe(&first_, sizeof first_);
  wipe(&second_, sizeof second_);
}

void EchoCheck::digit_stream(Digits& state, std::uint8_t c) noexcept {
  if (!digit(c)) {
    if (letter(c) || ++state.gap > kMaxGap) state = {};
    return;
  }
  state.gap = 0;
  const std::size_t n = number_.size();
  std::uint32_t forward = 0, backward = 0;
  for (std::size_t i = 0; i < n; ++i) {
    forward |= static_cast<std::uint32_t>(number_[i] == c) << i;
    backward |= static_cast<std::uint32_t>(number_[n - 1 - i] == c) << i;
  }
  state.forward = (state.forward << 1 | 1) & forward;
  state.backward = (state.backward << 1 | 1) & backward;
  const std::uint32_t whole = 1U << (n - 1);
  if (((state.forward | state.backward) & whole) != 0) found_ = true;
}

unsigned EchoCheck::unescape(Unescape& state, std::uint8_t c, std::array<std::uint8_t, 2>& out) noexcept {
  unsigned given = 0;
  const int hex = hex_value(c);
  // Only the low bytes matter: what is no ASCII digit separates or ends a number either way.
  const auto give = [&](std::uint32_t value) {
    out[given++] = value < 0x80 ? static_cast<std::uint8_t>(value) : std::uint8_t{0x80};
    state = {};
  };
  switch (state.state) {
    case kPercent:
    case kHexDigits:
      if (hex < 0) break;
      state.value = state.value << 4 | static_cast<std::uint32_t>(hex);
      if (--state.count == 0) give(state.value);
      return given;
    case kBackslash:
      if (c == 'u' || c == 'x') {
        state = {kHexDigits, static_cast<std::uint8_t>(c == 'u' ? 4 : 2), 0};
        return 0;
      }
      if (letter(c)) {
        give(' ');  // \n and the like
        return given;
      }
      if (c == '\\') {
        give(c);
        return given;
      }
      break;
    case kAmpersand:
      if (c != '#' && !letter(c)) break;
      state = {c == '#' ? kHash : kNamed, 0, 0};
      return 0;
    case kNamed:  // &nbsp; and the like separate
      if (letter(c) && ++state.count < 8) return 0;
      give(c == ';' ? ' ' : 'x');
      if (c == ';') return given;
      break;
    case kHash:
      if (c == 'x' || c == 'X') {
        state.state = kHexEntity;
        return 0;
      }
      state.state = kDecimal;
      [[fallthrough]];
    case kDecimal:
    case kHexEntity: {
      const bool more = state.state == kDecimal ? digit(c) : hex >= 0;
      if (more && state.count < 8) {
        state.value = state.value * (state.state == kDecimal ? 10 : 16) + static_cast<std::uint32_t>(hex);
        ++state.count;
        return 0;
      }
      if (state.count > 0) give(state.value);
      if (c == ';') {
        state = {};
        return given;
      }
      break;
    }
    default:
      break;
  }
  state = {};
  if (c == '%') {
    state = {kPercent, 2, 0};
  } else if (c == '\\') {
    state = {kBackslash, 0, 0};
  } else if (c == '&') {
    state = {kAmpersand, 0, 0};
  } else {
    out[given++] = c;
  }
  return given;
}

void EchoCheck::hex(std::uint8_t c) noexcept {
  const int value = hex_value(c);
  if (value < 0) {
    if (c == 'x' || c == 'X') {
      ++hex_count_;  // the 0 of 0x34 is no half of a byte
    } else if (letter(c)) {
      hex_ = {};
    }
    return;
  }
  hex_held_ = (hex_held_ << 4 | static_cast<std::uint32_t>(value)) & 0xff;
  digit_stream(hex_[++hex_count_ & 1], static_cast<std::uint8_t>(hex_held_));
}

void EchoCheck::sextet(std::uint8_t value) noexcept {
  base64_held_ = (base64_held_ << 6 | value) & 0xffffff;
  Digits& channel = base64_[++base64_phase_ & 3];
  for (const int shift : {16, 8, 0}) digit_stream(channel, static_cast<std::uint8_t>(base64_held_ >> shift));
}

// The last one to three characters of a text without padding.
void EchoCheck::end_of_base64() noexcept {
  for (int i = 0; i < 3; ++i) sextet(0);
  base64_ = {};
  base64_held_ = 0;
}

void EchoCheck::base64(std::uint8_t c) noexcept {
  if (c == '\r' || c == '\n' || c == '\\') return;
  if (const int value = base64_value(c); value >= 0) {
    sextet(static_cast<std::uint8_t>(value));
  } else {
    end_of_base64();
  }
}

void EchoCheck::byte(std::uint8_t c) noexcept {
  digit_stream(raw_, c);
  hex(c);
  base64(c);
  std::array<std::uint8_t, 2> out{}, again{};
  const unsigned n = unescape(first_, c, out);
  for (unsigned i = 0; i < n; ++i) {
    digit_stream(once_, out[i]);
    const unsigned m = unescape(second_, out[i], again);
    for (unsigned k = 0; k < m; ++k) digit_stream(twice_, again[k]);
  }
}

void EchoCheck::feed(ByteView bytes) noexcept {
  if (number_.size() < 12 || number_.size() > 19 || found_) return;
  for (const std::uint8_t c : bytes) {
    byte(c);
    if (found_) return;
  }
  // The text may end here: look at what is left over, and go on as if it had not.
  const auto base64 = base64_;
  const std::uint32_t held = base64_held_;
  const std::uint8_t phase = base64_phase_;
  end_of_base64();
  base64_ = base64;
  base64_held_ = held;
  base64_phase_ = phase;
  if (first_.state == kDecimal || first_.state == kHexEntity) {
    Unescape first = first_;
    std::array<std::uint8_t, 2> out{};
    Digits once = once_;
    if (unescape(first, ';', out) > 0) digit_stream(once, out[0]);
  }
}

}  // namespace popvault::wire
