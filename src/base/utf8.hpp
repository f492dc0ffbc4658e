// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace popvault {

// Length of the valid sequence that starts at `at` (under text.size()), or 0.
std::size_t utf8_length(std::string_view text, std::size_t at) noexcept;
bool valid_utf8(std::string_view text) noexcept;
// Valid and without C0 and C1 control characters and DEL: what a label or a name may hold.
bool plain_text(std::string_view text) noexcept;

}  // namespace popvault
