#include "guard/rules_check.hpp"

#include <array>
#include <cstdint>

namespace popvault::guard {
namespace {

constexpr std::size_t kMaxPath = 4096;
constexpr std::int64_t kShift = 8;  // modifiers: Alt 1, Ctrl 2, Meta 4, Shift 8

// A path inside the folder in its one plain form. Symbolic links are the guard's concern.
bool inside(std::string_view path, const std::string& folder) {
  if (folder.size() < 2 || folder.front() != '/' || path.size() > kMaxPath) return false;
  if (path.size() < folder.size() + 2 || path.substr(0, folder.size()) != folder || path[folder.size()] != '/') return false;
  path.remove_prefix(folder.size() + 1);
  for (const char c : path)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f || c == '\\') return false;
  while (true) {
    const std::size_t end = path.find('/');
    const std::string_view step = path.substr(0, end);
    if (step.empty() || step == "." || step == "..") return false;
    if (end == std::string_view::npos) return true;
    path.remove_prefix(end + 1);
  }
}

std::string files(const Json* value, const Place& place) {
  if (!value || !value->array()) return "a list of files is needed";
  for (const Json& file : *value->array())
    if (!file.string() || !inside(*file.string(), place.exchange)) return "only files of the exchange folder";
  return "";
}

std::string drag(const Json* value, const Place& place) {
  const Json* dropped = value ? value->find("files") : nullptr;
  return dropped ? files(dropped, place) : "";
}

std::string url(const Json* value, const Place&) {
  return value && value->string() && url_allowed(*value->string()) ? "" : "only http, https and about:blank, in plain form";
}

std::string referrer(const Json* value, const Place& place) {
  return !value || (value->string() && value->string()->empty()) ? "" : url(value, place);
}

std::string off(const Json* value, const Place&) {
  return !value || (value->boolean() && !*value->boolean()) ? "" : "only false";
}

std::string on(const Json* value, const Place&) {
  return !value || (value->boolean() && *value->boolean()) ? "" : "only true";
}

std::string boolean(const Json* value, const Place&) { return !value || value->boolean() ? "" : "not a boolean"; }

std::string required(const Json* value, const Place&) {
  return value && value->boolean() && *value->boolean() ? "" : "only true";
}

std::string only_idle(const Json* value, const Place& place) {
  if (value && !value->boolean()) return "not a boolean";
  return place.live && value && *value->boolean() ? "not while a purchase is live" : "";
}

std::string frame(const Json* value, const Place& place) {
  if (!value) return "";
  if (!value->string()) return "not a frame";
  return place.hidden_frames && place.hidden_frames->contains(*value->string()) ? "a processor's frame" : "";
}

std::string stream(const Json* value, const Place& place) {
  return value && value->string() && place.streams && place.streams->contains(*value->string()) ? "" : "not a stream of this session";
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (word == text) return true;
  return false;
}

// What a page may be given without its owner being asked, as Browser.grantPermissions and Browser.setPermission name it.
bool harmless_permission(std::string_view name) {
  return one_of(name, {"geolocation", "notifications", "sensors", "accelerometer", "gyroscope", "magnetometer", "ambient-light-sensor",
                       "clipboardReadWrite", "clipboardSanitizedWrite", "clipboard-read", "clipboard-write", "storageAccess", "storage-access",
                       "topLevelStorageAccess", "top-level-storage-access", "durableStorage", "persistent-storage", "backgroundSync",
                       "background-sync", "wakeLockScreen", "screen-wake-lock"});
}

std::string permission(const Json* value, const Place&) {
  return value && harmless_permission((*value)["name"].text_or("")) ? "" : "the owner's to give";
}

std::string permissions(const Json* value, const Place&) {
  if (!value || !value->array()) return "a list is needed";
  for (const Json& name : *value->array())
    if (!harmless_permission(name.text_or(""))) return "the owner's to give";
  return "";
}

// Keys that send, close or scroll, with no text but what the key itself types. Not Tab: it selects what is in a field.
bool sealed_key(const Json& params) {
  const std::string key = params["key"].text_or(""), code = params["code"].text_or("");
  const bool plain = one_of(key, {"Enter", " ", "Escape", "ArrowUp", "ArrowDown", "PageUp", "PageDown"});
  if (!plain || params["modifiers"].int_or(0) != 0) return false;
  const bool same = code.empty() || code == key || (key == " " && code == "Space") || (key == "Enter" && code == "NumpadEnter");
  struct Number {
    std::string_view key;
    std::int64_t number;
  };
  static constexpr std::array<Number, 7> kNumbers{{{"Enter", 13}, {" ", 32}, {"Escape", 27}, {"ArrowUp", 38},
                                                   {"ArrowDown", 40}, {"PageUp", 33}, {"PageDown", 34}}};
  for (const char* member : {"windowsVirtualKeyCode", "nativeVirtualKeyCode"}) {
    const std::int64_t number = params[member].int_or(0);
    if (number == 0) continue;
    for (const Number& known : kNumbers)
      if (known.key == key && known.number != number) return false;
  }
  for (const char* member : {"text", "unmodifiedText"}) {
    const std::string text = params[member].text_or("");
    if (!text.empty() && !(key == "Enter" && text == "\r") && !(key == " " && text == " ")) return false;
  }
  return same && !params.find("keyIdentifier");
}

std::string key(const Json& params, const Place& place) {
  if (!place.held()) return "";
  for (const char* member : {"modifiers", "windowsVirtualKeyCode", "nativeVirtualKeyCode"})
    if (const Json* value = params.find(member); value && !value->integer()) return "not a number";
  for (const char* member : {"key", "code", "text", "unmodifiedText"})
    if (const Json* value = params.find(member); value && !value->string()) return "not a text";
  if (const Json* commands = params.find("commands"); commands && !(commands->array() && commands->array()->empty()))
    return "no editing commands on this page";
  if (place.sealed) return sealed_key(params) ? "" : "only Enter, Space, Escape and keys that scroll on a sealed page";
  const std::int64_t modifiers = params["modifiers"].int_or(0), number = params["windowsVirtualKeyCode"].int_or(0);
  if (modifiers != 0 && modifiers != kShift) return "no Ctrl, Alt and Meta on this page";
  const bool moves = one_of(params["key"].text_or(""), {"Insert", "Delete"}) || number == 45 || number == 46 ||
                     one_of(params["code"].text_or(""), {"Insert", "Delete"});
  return modifiers == kShift && moves ? "no cut and paste on this page" : "";
}

std::string mouse(const Json& params, const Place& place) {
  if (!place.held()) return "";
  for (const char* member : {"modifiers", "buttons", "clickCount"})
    if (const Json* value = params.find(member); value && !value->integer()) return "not a number";
  if (!place.sealed) return "";
  const std::string type = params["type"].text_or(""), button = params["button"].text_or("none");
  const std::int64_t buttons = params["buttons"].int_or(0);
  const char* why = "only single clicks, moves and the wheel on a sealed page";
  if (const Json* given = params.find("button"); given && !given->string()) return why;
  if (params["modifiers"].int_or(0) != 0 || params["clickCount"].int_or(0) > 1) return why;
  const bool click = one_of(type, {"mousePressed", "mouseReleased"}) && button == "left" && (buttons == 0 || buttons == 1);
  const bool move = one_of(type, {"mouseMoved", "mouseWheel"}) && button == "none" && buttons == 0;
  return click || move ? "" : why;
}

// Where downloads go is the owner's setting, whatever the client asked for.
void download(const Json* value, const Place& place, Checked& checked) {
  if (!value || !value->string()) {
    checked.why = "not a behaviour";
    return;
  }
  const bool allowed = !place.exchange.empty() && *value->string() != "deny";
  const char* behaviour = *value->string() == "allowAndName" ? "allowAndName" : "allow";
  Json& params = checked.edit();
  params.set("behavior", allowed ? behaviour : "deny");
  if (allowed)
    params.set("downloadPath", place.exchange);
  else
    params.erase("downloadPath");
}

std::string flat(const Json* value, const Json& params, const Place& place) {
  const Json* wanted = params.find("autoAttach");
  if (wanted && wanted->boolean() && !*wanted->boolean()) return boolean(value, place);
  return required(value, place);
}

using Single = std::string (*)(const Json*, const Place&);
struct NamedCheck {
  std::string_view name;
  Single check;
};
constexpr std::array<NamedCheck, 13> kChecks{{{"url", url},
                                              {"permission", permission},
                                              {"permissions", permissions},
                                              {"on", on},
                                              {"referrer", referrer},
                                              {"off", off},
                                              {"bool", boolean},
                                              {"required", required},
                                              {"only_idle", only_idle},
                                              {"frame", frame},
                                              {"stream", stream},
                                              {"files", files},
                                              {"drag", drag}}};

}  // namespace

bool check_exists(const std::string& name) {
  for (const NamedCheck& known : kChecks)
    if (known.name == name) return true;
  return name.empty() || one_of(name, {"-", "key", "mouse", "download", "flat", "dropped"});
}

void check_parameter(const std::string& name, const std::string& parameter, const Json* value, const Place& place, Checked& checked) {
  for (const NamedCheck& known : kChecks)
    if (known.name == name) {
      checked.why = known.check(value, place);
      return;
    }
  if (name.empty()) return;
  if (name == "-") {
    if (value) checked.why = "refused";
  } else if (name == "key") {
    checked.why = key(checked.given, place);
  } else if (name == "mouse") {
    checked.why = mouse(checked.given, place);
  } else if (name == "download") {
    download(value, place, checked);
  } else if (name == "flat") {
    checked.why = flat(value, checked.given, place);
  } else if (name == "dropped") {
    if (value) checked.edit().erase(parameter);
  } else {
    checked.why = "an unknown check";
  }
}

}  // namespace popvault::guard
