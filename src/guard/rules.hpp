// The guard's rule: which commands of an agent reach the browser and which events reach the agent. One table over
// methods, parameters and event fields; what it does not know is refused. It is rules_table.def, from which
// docs/GUARD.md is made. Pure: no browser, no sockets, no state.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "rpc/json.hpp"

namespace popvault::guard {

// Frame ids and stream handles.
using Names = std::set<std::string, std::less<>>;

// What a session is attached to, and in which state that is. For Target.* events: what the event tells of.
struct Place {
  enum class Kind { browser, tab, page, frame, worker } kind = Kind::browser;
  bool processor = false;  // a page whose top-level document is a listed processor's
  bool sealed = false;     // real values are, or may be, in the page or one of its frames
  bool live = false;       // a purchase is armed or being filled in it
  bool redacted = false;   // a purchase was live in it: what tells of it stays redacted
  std::string exchange;    // the folder for uploads and downloads, absolute, without "/" at its end; empty: none
  const Names* hidden_frames = nullptr;  // a processor's frames within this page; no command may name them
  const Names* streams = nullptr;        // what Page.printToPDF returned in this session; IO.read may name nothing else

  // Nobody may read the page: only what the table says for such pages passes.
  bool held() const noexcept { return processor || sealed; }
};

struct Ruling {
  enum class Verdict {
    pass,
    refuse,  // answered with a CDP error that says `why`
    answer,  // answered by the guard with `result`; nothing goes to the browser
  } verdict = Verdict::refuse;
  std::string why;
  Json result;
  // What goes instead of the params, when they must be narrowed.
  std::optional<Json> params;
  // The browser's result has to pass rule_result before the agent gets it.
  bool look = false;
};

Ruling rule_command(std::string_view method, const Json& params, const Place& place);

// The result of a command as the agent gets it. `place` is that of the session, for Target.getTargetInfo that of the
// target. For Target.getTargets the guard calls shown_target for each.
Json rule_result(std::string_view method, Json result, const Place& place);
// A TargetInfo as agents see it: title and URL are the origin when a value may be in them.
Json shown_target(Json info, const Place& place);

// An event for an agent. Cheap for those that pass whole: `params` is only looked at where the table has fields.
enum class EventRule { drop, pass, look };
EventRule event_rule(std::string_view method, const Place& place) noexcept;
// For `look`: the params without what must not be seen, or none when the event is dropped.
std::optional<Json> rule_event(std::string_view method, Json params, const Place& place);

// Whether an agent may send a page there: http, https and about:blank, in plain form. Plain: no blanks or control
// characters at its ends, no user, no backslash or percent sign before the path, no dot at the end of the host.
bool url_allowed(std::string_view url) noexcept;
// The URL as it is shown while a value may be in it: its origin, or "about:blank".
std::string redacted(std::string_view url);

}  // namespace popvault::guard
