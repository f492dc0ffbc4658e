// The one operation that a GraphQL request may hold.
#pragma once

#include <string_view>

#include "wire/recipe.hpp"

namespace popvault::wire {

// Whether the document is `mutation NAME($A: TYPE, ...) { ROOT(ARGUMENT: $A, ...) { names and braces } }` with the rule's
// root, arguments and types, each at most once. No literals, directives, fragments, comments or further operations: the
// card can only go where the rule says.
bool graphql_fits(const RequestRule& rule, std::string_view document);

}  // namespace popvault::wire
