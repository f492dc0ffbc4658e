// The top level of DevTools messages, as agents' clients and the browser send them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "guard/cdp_message.hpp"
#include "rpc/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace popvault;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scanned = guard::CdpMessage::scan(text);
  const auto parsed = Json::parse(text, {1 << 20, 128});
  if (!scanned || !parsed) return 0;
  // What both take, both read alike.
  const Json& whole = *parsed;
  if (scanned->id.has_value() != (whole.find("id") != nullptr)) std::abort();
  if (scanned->id && whole["id"].integer() != nullptr && *whole["id"].integer() != *scanned->id) std::abort();
  if (scanned->method != whole["method"].text_or("")) std::abort();
  if (scanned->session != whole["sessionId"].text_or("")) std::abort();
  for (const auto& [name, span] : {std::pair("params", scanned->params), std::pair("result", scanned->result)}) {
    if (span.empty() != (whole.find(name) == nullptr)) std::abort();
    if (span.empty()) continue;
    const auto part = Json::parse(span, {1 << 20, 128});
    if (!part || !(*part == whole[name])) std::abort();
  }
  return 0;
}
