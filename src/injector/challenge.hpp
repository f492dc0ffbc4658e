// 3-D Secure: whether a frame is the one in which the card's bank asks its owner.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace popvault::injector {

// `name` is the name or id of the frame's element, or both with a space between. `listed` is the recipe's: an origin, or
// an origin with the beginning of a path that ends at a "/", "?", "#" or the end of the URL. The hidden frame in which
// the bank only looks at the browser is none, nor is one that asks whether somebody is human.
bool is_challenge(std::string_view url, std::string_view name, std::span<const std::string> listed);

}  // namespace popvault::injector
