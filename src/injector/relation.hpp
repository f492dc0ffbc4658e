// How a frame stands to those that were filled.
#pragma once

#include <set>

#include "injector/page.hpp"
#include "wire/recipe.hpp"

namespace popvault::injector {

// The nearest: itself one of them, below one, around one, or beside one.
wire::Relation relation_in_tree(const Page& page, const std::set<std::string>& filled, const Frame& frame);

}  // namespace popvault::injector
