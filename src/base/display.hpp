// How values are shown to people.
//
// Text that an agent, a page or a file made is never printed as it is: a control character could move the
// cursor, a bidirectional mark could turn an amount round, an invisible one could hide a difference.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace popvault {

// One line: every control, format (bidirectional, zero-width, tag), private, surrogate and non-character code
// point and every line or paragraph separator is written \u{XXXX}, each invalid byte \x{XX}, a backslash
// twice.
std::string escape_for_terminal(std::string_view text);

// The same for an origin, path or address, where anything outside printable ASCII is escaped.
std::string escape_ascii(std::string_view text);

// JSON in which every such character stands as \uXXXX: the same value, and safe to be printed.
std::string escape_json(std::string_view json);
// For places with so many columns. Whatever is not certainly one column wide (wide, combining, of a script that runs from
// right to left...) is escaped too, so that the result takes one column a character; a longer one is cut, with "..." at its
// end, or at its start where the end tells more (an origin). No escape is cut in two.
enum class Keep : std::uint8_t { start, end };
std::string fit(std::string_view text, std::size_t columns, Keep keep = Keep::start);
// How many columns a text of fit() takes.
std::size_t columns_of(std::string_view fitted) noexcept;
// All of it, in lines of so many columns (at least 16).
std::vector<std::string> fold(std::string_view text, std::size_t columns);

// The first character of a text that is not empty, for text that must not be copied into a string.
struct Glyph {
  std::size_t size;     // bytes
  std::uint32_t value;  // the code point, or the byte that is no UTF-8
  bool valid;           // UTF-8
  bool safe;            // escape_for_terminal leaves it (or doubles it, if it is a backslash)
};
Glyph first_glyph(std::string_view text) noexcept;

}  // namespace popvault
