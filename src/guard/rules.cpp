#include "guard/rules.hpp"

#include "guard/rules_check.hpp"
#include "guard/rules_table.hpp"

namespace popvault::guard {
namespace {

Ruling refused(std::string_view method, std::string_view why) {
  Ruling ruling;
  ruling.why = std::string(method) + " is refused: " + std::string(why);
  return ruling;
}

bool session_fits(const CommandRow& row, Place::Kind kind) {
  return (static_cast<unsigned>(row.sessions) >> static_cast<unsigned>(kind) & 1u) != 0;
}

bool page_fits(const CommandRow& row, const Place& place) {
  if (!place.held() || row.pages == OnPages::always) return true;
  if (place.sealed) return false;
  return row.pages == OnPages::typing || (row.pages == OnPages::shot && place.live);
}

const char* held_text(const Place& place) {
  return place.sealed ? "real values are in this page" : "the page is a payment processor's";
}

const Parameter* parameter_of(const CommandRow& row, std::string_view name) {
  for (const Parameter& parameter : row.params)
    if (parameter.name == name) return &parameter;
  return nullptr;
}

Ruling passed(std::string_view method, const CommandRow& row, const Json& params, const Place& place) {
  if (!params.is_null() && !params.object()) return refused(method, "its params are no object");
  if (params.object())
    for (const auto& [name, value] : *params.object())
      if (!parameter_of(row, name)) return refused(method, "a parameter that is not known");
  Checked checked{params, {}, {}};
  for (const Parameter& parameter : row.params) {
    if (parameter.check.empty()) continue;
    check_parameter(parameter.check, parameter.name, params.find(parameter.name), place, checked);
    if (!checked.why.empty()) return refused(method, parameter.name + ": " + checked.why);
  }
  Ruling ruling;
  ruling.verdict = Ruling::Verdict::pass;
  ruling.params = std::move(checked.changed);
  ruling.look = !row.result.empty() && (place.held() || row.result == "target" || row.result == "targets");
  return ruling;
}

Json shown_frames(const Json& tree) {
  static const EventRow& row = *event_row("Page.frameNavigated");
  Json out = only_fields(row.held, tree);  // its fields are frame.*, as in a FrameTree
  if (const Json* children = tree.find("childFrames"); children && children->array()) {
    Json::Array shown;
    for (const Json& child : *children->array()) shown.push_back(shown_frames(child));
    out.set("childFrames", std::move(shown));
  }
  return out;
}

Json shown_history(const Json& result) {
  Json::Array entries;
  if (const Json* list = result.find("entries"); list && list->array())
    for (const Json& entry : *list->array()) {
      const std::string site = redacted(entry["url"].text_or(""));
      Json shown = Json::Object{};
      shown.set("id", entry["id"]);
      shown.set("url", site);
      shown.set("userTypedURL", site);
      shown.set("title", site);
      shown.set("transitionType", entry["transitionType"]);
      entries.push_back(std::move(shown));
    }
  Json out = Json::Object{};
  out.set("currentIndex", result["currentIndex"]);
  out.set("entries", std::move(entries));
  return out;
}

}  // namespace

Ruling rule_command(std::string_view method, const Json& params, const Place& place) {
  const CommandRow* row = command_row(method);
  if (!row) {
    Ruling ruling;
    ruling.why = "this method is not known to popvault-browser";
    return ruling;
  }
  if (row->kind == CommandRow::Kind::refuse) return refused(method, row->why);
  if (row->kind == CommandRow::Kind::answer) {
    Ruling ruling;
    ruling.verdict = Ruling::Verdict::answer;
    const auto result = Json::parse(row->result);
    ruling.result = result ? *result : Json(Json::Object{});
    return ruling;
  }
  if (!session_fits(*row, place.kind)) return refused(method, "not on this kind of session");
  if (!page_fits(*row, place)) return refused(method, held_text(place));
  return passed(method, *row, params, place);
}

Json rule_result(std::string_view method, Json result, const Place& place) {
  const CommandRow* row = command_row(method);
  if (!row || row->kind != CommandRow::Kind::pass) return Json::Object{};
  if (row->result == "target") {
    Json out = Json::Object{};
    out.set("targetInfo", shown_target(result["targetInfo"], place));
    return out;
  }
  if (row->result.empty() || row->result == "targets" || !place.held()) return result;
  if (row->result == "frames") {
    Json out = Json::Object{};
    out.set("frameTree", shown_frames(result["frameTree"]));
    return out;
  }
  if (row->result == "history") return shown_history(result);
  return Json::Object{};
}

Json shown_target(Json info, const Place& place) {
  static const EventRow& row = *event_row("Target.targetInfoChanged");
  if (!place.held() && !place.live && !place.redacted) return info;
  Json wrapped = Json::Object{};
  wrapped.set("targetInfo", std::move(info));
  return only_fields(row.held, wrapped)["targetInfo"];
}

EventRule event_rule(std::string_view method, const Place& place) noexcept {
  const EventRow* row = event_row(method);
  if (!row || !row->shown) return EventRule::drop;
  if (!place.held() && !(row->about_target && (place.live || place.redacted))) return EventRule::pass;
  if (row->whole_held) return EventRule::pass;
  return row->held.empty() ? EventRule::drop : EventRule::look;
}

std::optional<Json> rule_event(std::string_view method, Json params, const Place& place) {
  switch (event_rule(method, place)) {
    case EventRule::drop: return std::nullopt;
    case EventRule::pass: return params;
    case EventRule::look: break;
  }
  return only_fields(event_row(method)->held, params);
}

}  // namespace popvault::guard
