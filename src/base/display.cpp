#include "base/display.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>

#include "base/utf8.hpp"

namespace popvault {
namespace {

struct Range {
  std::uint32_t first, last;
};

// Unicode 15.1: general categories Cc, Cf, Cs, Co, Zl, Zp, the characters of Default_Ignorable_Code_Point and
// the spaces and fillers that look like nothing or like a plain space.
constexpr Range kUnsafe[] = {
    {0x0000, 0x001f},   {0x007f, 0x00a0},   {0x00ad, 0x00ad},    {0x034f, 0x034f},   {0x0600, 0x0605},
    {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},    {0x0890, 0x0891},   {0x08e2, 0x08e2},
    {0x115f, 0x1160},   {0x1680, 0x1680},   {0x17b4, 0x17b5},    {0x180b, 0x180f},   {0x2000, 0x200f},
    {0x2028, 0x202f},   {0x205f, 0x206f},   {0x2800, 0x2800},    {0x3000, 0x3000},   {0x3164, 0x3164},
    {0xd800, 0xf8ff},   {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},    {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},  {0x110cd, 0x110cd}, {0x13430, 0x1343f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
};

bool unsafe(std::uint32_t c) {
  for (const Range& range : kUnsafe)
    if (c >= range.first && c <= range.last) return true;
  return (c & 0xfffe) == 0xfffe;
}

// The code point of a valid sequence.
std::uint32_t code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(sequence[i]); };
  std::uint32_t point = sequence.size() == 1 ? byte(0) : byte(0) & (0xffU >> (sequence.size() + 1));
  for (std::size_t i = 1; i < sequence.size(); ++i) point = point << 6 | (byte(i) & 0x3fU);
  return point;
}

std::string coded(char kind, std::uint32_t value) {
  char out[16];
  std::snprintf(out, sizeof out, kind == 'x' ? "\\x{%02X}" : "\\u{%04X}", value);
  return out;
}

std::string escaped(std::string_view text, bool ascii_only) {
  std::string out;
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    if (!glyph.valid) {
      out += coded('x', glyph.value);
    } else if (glyph.value == '\\') {
      out += "\\\\";
    } else if (!glyph.safe || (ascii_only && glyph.value > 0x7e)) {
      out += coded('u', glyph.value);
    } else {
      out += text.substr(0, glyph.size);
    }
    text.remove_prefix(glyph.size);
  }
  return out;
}

// Letters and signs that every terminal shows one column wide, from left to right: Latin, Greek, Cyrillic, the usual
// punctuation, currencies.
constexpr Range kNarrow[] = {{0x0020, 0x007e}, {0x00a1, 0x024f}, {0x0370, 0x0482}, {0x048a, 0x052f},
                             {0x1e00, 0x1eff}, {0x2010, 0x2027}, {0x20a0, 0x20bf}};

bool narrow(const Glyph& glyph) {
  if (!glyph.safe || glyph.value == '\\') return false;
  return std::any_of(std::begin(kNarrow), std::end(kNarrow),
                     [&](const Range& range) { return glyph.value >= range.first && glyph.value <= range.last; });
}

// One character each, as it is shown.
std::vector<std::string> cells(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const Glyph glyph = first_glyph(text);
    out.push_back(narrow(glyph)            ? std::string(text.substr(0, glyph.size))
                  : !glyph.valid           ? coded('x', glyph.value)
                  : glyph.value == '\\'    ? std::string("\\\\")
                                           : coded('u', glyph.value));
    text.remove_prefix(glyph.size);
  }
  return out;
}

}  // namespace

std::size_t columns_of(std::string_view fitted) noexcept {
  return static_cast<std::size_t>(std::count_if(fitted.begin(), fitted.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string fit(std::string_view text, std::size_t columns, Keep keep) {
  constexpr std::string_view kMore = "...";
  std::vector<std::string> all = cells(text);
  std::size_t width = 0;
  for (const std::string& cell : all) width += columns_of(cell);
  const bool whole = width <= columns;
  if (!whole && columns < kMore.size()) return std::string(columns, '.');
  const std::size_t room = whole ? columns : columns - kMore.size();
  std::string out;
  std::size_t used = 0;
  if (keep == Keep::end) std::reverse(all.begin(), all.end());
  for (const std::string& cell : all) {
    used += columns_of(cell);
    if (used > room) break;
    out = keep == Keep::end ? cell + out : out + cell;
  }
  if (whole) return out;
  return keep == Keep::end ? std::string(kMore) + out : out + std::string(kMore);
}

std::vector<std::string> fold(std::string_view text, std::size_t columns) {
  std::vector<std::string> out(1);
  std::size_t used = 0;
  columns = std::max<std::size_t>(columns, 16);
  for (const std::string& cell : cells(text)) {
    const std::size_t width = columns_of(cell);
    if (used + width > columns) out.emplace_back(), used = 0;
    out.back() += cell;
    used += width;
  }
  return out;
}

Glyph first_glyph(std::string_view text) noexcept {
  const std::size_t size = utf8_length(text, 0);
  if (size == 0) return {1, static_cast<std::uint8_t>(text[0]), false, false};
  const std::uint32_t point = code_point(text.substr(0, size));
  return {size, point, true, !unsafe(point)};
}

std::string escape_json(std::string_view json) {
  std::string out;
  const auto unit = [&](std::uint32_t value) {
    char text[8];
    std::snprintf(text, sizeof text, "\\u%04x", value & 0xffffU);
    out += text;
  };
  while (!json.empty()) {
    const Glyph glyph = first_glyph(json);
    if (glyph.safe || glyph.value == '\n') {
      out += json.substr(0, glyph.size);
    } else if (glyph.value > 0xffff) {
      unit(0xd800 + ((glyph.value - 0x10000) >> 10));
      unit(0xdc00 + ((glyph.value - 0x10000) & 0x3ff));
    } else {
      unit(glyph.valid ? glyph.value : 0xfffd);
    }
    json.remove_prefix(glyph.size);
  }
  return out;
}

std::string escape_for_terminal(std::string_view text) { return escaped(text, false); }
std::string escape_ascii(std::string_view text) { return escaped(text, true); }

}  // namespace popvault
