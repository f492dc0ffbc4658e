// Masked views and purchases as text for people. Labels and everything an agent wrote are escaped.
#pragma once

#include <string>

#include "rpc/json.hpp"

namespace popvault::cli {

// "rec_...  visa ****-****-****-4242  Everyday"
std::string record_line(const Json& view);
// The lines of one record.
std::string record_lines(const Json& view);
// "pur_...  awaiting_approval  50.00 USD  https://shop.example  by shopper"
std::string purchase_line(const Json& purchase);
// What the owner decides on: amount, origin, card and strength first, what the agent says below.
std::string purchase_lines(const Json& purchase);

// "its key was shown by two programs at once: /usr/bin/a and /usr/bin/b (2026-11-22T05:31:00Z)"
std::string anomaly_text(const Json& anomaly);

// "name: value" where the value is plain text of ours or null.
std::string plain_line(std::string_view name, const Json& value);

}  // namespace popvault::cli
