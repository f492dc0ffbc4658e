// Presses the page's button with a trusted click.
#pragma once

#include <set>

#include "injector/page.hpp"

namespace popvault::injector {

// The element of the first selector that names exactly one that can be seen, in the top document or in a frame that was
// filled; else the only submit button that can be seen in one of them. Nothing is pressed when there is none or a second.
Step<void> press_submit(Cdp& cdp, const Page& page, const std::set<std::string>& filled,
                        const std::vector<std::string>& selectors);

}  // namespace popvault::injector
