// A command or an event of any text at any place: never a crash, nothing passes that the table does not know, and what
// is left of a held page's events and results is what the table names.
#include <cstdlib>

#include "base/bytes.hpp"
#include "guard/rules.hpp"
#include "guard/rules_table.hpp"

using namespace popvault;
using namespace popvault::guard;

namespace {

const Names kNames{"1", "F"};

Place place_of(std::uint8_t first, std::uint8_t second) {
  Place place;
  place.kind = static_cast<Place::Kind>(first % 5);
  place.processor = (second & 1) != 0;
  place.sealed = (second & 2) != 0;
  place.live = (second & 4) != 0;
  if (second & 8) place.exchange = "/home/owner/exchange";
  if (second & 16) place.hidden_frames = &kNames;
  if (second & 32) place.streams = &kNames;
  return place;
}

void need(bool holds) {
  if (!holds) std::abort();
}

void check_command(std::string_view method, const Json& params, const Place& place) {
  const Ruling ruling = rule_command(method, params, place);
  need((ruling.verdict == Ruling::Verdict::refuse) == !ruling.why.empty());
  if (ruling.verdict != Ruling::Verdict::pass) return;
  const CommandRow* row = command_row(method);
  need(row && row->kind == CommandRow::Kind::pass);
  need(!place.sealed || row->pages == OnPages::always);
  const Json& sent = ruling.params ? *ruling.params : params;
  if (!sent.object()) return need(sent.is_null());
  for (const auto& [name, value] : *sent.object()) {
    bool known = false;
    for (const Parameter& parameter : row->params) known = known || (parameter.name == name && parameter.check != "-");
    need(known);
  }
  if (method == "Page.navigate" || method == "Target.createTarget") need(url_allowed(sent["url"].text_or("")));
  if (method == "Target.attachToTarget") need(sent["flatten"].bool_or(false));
  if (method == "Browser.setDownloadBehavior") need(sent["behavior"].text_or("") == "deny" || sent["downloadPath"].text_or("") == place.exchange);
  if (method == "DOM.setFileInputFiles")
    for (const Json& file : *sent["files"].array()) need(file.text_or("").rfind("/home/owner/exchange/", 0) == 0 && file.text_or("").find("/..") != 20);
}

void check_url(std::string_view url) {
  if (url_allowed(url))
    for (const char c : url.substr(0, url.find_first_of("/?#", 8)))
      need(c > ' ' && c != '@' && c != '\\' && c != '%' && static_cast<unsigned char>(c) < 0x7f);
  const std::string shown = redacted(url);
  need(shown == "about:blank" || (shown.rfind("http", 0) == 0 && shown.find_first_of("@?#\\ /", 8) == std::string::npos));
}

}  // namespace

// Two bytes of place, the method up to a line's end, then the params.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Place place = place_of(data[0], data[1]);
  const std::string_view text = as_text(ByteView(data + 2, size - 2));
  const std::size_t end = text.find('\n');
  const std::string_view method = text.substr(0, end), rest = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  check_url(text);
  check_url(rest);
  const auto parsed = Json::parse(rest, {1 << 20, 64});
  const Json params = parsed ? *parsed : Json();
  check_command(method, params, place);
  static_cast<void>(rule_result(method, params, place));
  const auto event = rule_event(method, params, place);
  need(event.has_value() == (event_rule(method, place) != EventRule::drop));
  if (place.held() && event) need(event_row(method) != nullptr);
  return 0;
}
