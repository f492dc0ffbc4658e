// What /json/protocol answers: the domains, commands and events that the rule lets through, without their types (the browser
// does not say its description over the pipe). Clients that make their methods from it have those that work here.
#pragma once

#include <string>

namespace popvault::guard {

std::string protocol_text();

}  // namespace popvault::guard
