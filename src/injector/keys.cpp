// The slow ways of the Filler: key presses for pages that work on them, arrow keys for selects, and clearing.
// See filler.hpp.
#include <algorithm>
#include <set>

#include "injector/filler.hpp"

namespace popvault::injector {
namespace {

constexpr int kMaxSteps = 60;  // of a select; further away it is set without keys
constexpr int kFocusTries = 50;
constexpr int kBackspace = 8, kArrowUp = 38, kArrowDown = 40;  // Windows virtual key codes
constexpr std::size_t kKeyFrame = 1024;

Json argument(Json value) {
  Json out;
  out.set("value", std::move(value));
  return out;
}

ByteView line_of(ByteView text, std::int64_t line) {
  std::string_view rest = as_text(text);
  for (; line > 0 && rest.find('\n') != rest.npos; --line) rest.remove_prefix(rest.find('\n') + 1);
  return as_bytes(rest.substr(0, rest.find('\n')));
}

// The length of the UTF-8 sequence that starts with `first`.
std::size_t sequence_length(std::uint8_t first) {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

}  // namespace

Step<bool> Filler::flag(const Frame& frame, std::string_view function, int index) {
  PV_ASSIGN(const std::optional<Json> answer, page_.value(page_.call(frame, function, {argument(index)})));
  PV_TRY(unchanged());
  return answer && answer->bool_or(false);
}

// Down and up. All keys go through the session of the field's frame. For a frame with a process of its own that is the
// process they end up in: with the focus elsewhere they are lost. Only those of the page's own session follow the
// focus.
Step<void> Filler::key(const Frame& frame, std::string_view name, int code) {
  for (const std::string_view type : {"keyDown", "keyUp"}) {
    Json params;
    params.set("type", type);
    params.set("key", name);
    params.set("code", name);
    params.set("windowsVirtualKeyCode", code);
    PV_ASSIGN(const Cdp::Reply reply,
              cdp_.wait(cdp_.send("Input.dispatchKeyEvent", std::move(params), frame.session)));
    if (!reply.ok) return stop(Outcome::failed);
  }
  return {};
}

// The frames around the field's frame show that it has the focus. They learn of it from the browser: when they show
// it, keys go there.
Step<bool> Filler::frame_has_focus(const Frame& frame, bool wait) {
  for (const Frame* inner = &frame; inner != nullptr && !inner->parent.empty();) {
    const Frame* const outer = page_.frame(inner->parent);
    const std::string owner = page_.owner(*inner);
    if (outer == nullptr || owner.empty()) return false;
    Json handle;
    handle.set("objectId", owner);
    bool shown = false;
    for (int tries = wait ? kFocusTries : 1; tries > 0 && !shown; --tries) {
      PV_ASSIGN(const std::optional<Json> answer, page_.value(page_.call(*outer, "shows", {handle})));
      shown = answer && answer->bool_or(false);
      if (!shown && wait) PV_TRY(cdp_.poll(Clock::now() + std::chrono::milliseconds(2)));
    }
    if (!shown) return false;
    inner = outer;
  }
  PV_TRY(unchanged());
  return true;
}

Step<bool> Filler::has_focus(const Frame& frame, const Work& work) {
  PV_ASSIGN(const bool inside, flag(frame, "focused", work.pick.index));
  if (!inside) return false;
  return frame_has_focus(frame, false);
}

Step<void> Filler::erase(const Frame& frame, const Work& work) {
  PV_ASSIGN(std::optional<Json> length,
            page_.value(page_.call(frame, "length", {argument(work.pick.index)})));
  for (std::int64_t left = length ? length->int_or(0) : 0; left > 0; --left) {
    PV_ASSIGN(const bool focused, flag(frame, "focused", work.pick.index));
    if (!focused) break;
    PV_TRY(key(frame, "Backspace", kBackspace));
  }
  return {};
}

// False when the browser refused it.
Step<bool> Filler::press_half(const Frame& frame, ByteView character, bool down) {
  const bool digit = character.size() == 1 && character[0] >= '0' && character[0] <= '9';
  SecretFrame command(kKeyFrame);
  Cdp::begin_frame(command, "Input.dispatchKeyEvent", frame.session);
  command.plain(down ? "{\"type\":\"keyDown\",\"text\":\"" : "{\"type\":\"keyUp\"");
  if (down) command.secret(character).plain("\"");
  command.plain(",\"key\":\"").secret(character).plain("\"");
  if (digit) {
    // "Digit4"; the virtual key code of a digit is its character code.
    command.plain(",\"code\":\"Digit")
        .secret(character)
        .plain("\",\"windowsVirtualKeyCode\":")
        .secret_number(character[0]);
  }
  command.plain("}");
  PV_ASSIGN(const Cdp::Id id, send(command, frame));
  PV_ASSIGN(const Cdp::Reply reply, cdp_.wait(id));
  return reply.ok;
}

// True when the field has the focus before and after. The key is let go only where it was pressed: it says the
// character once more.
Step<bool> Filler::press(const Frame& frame, const Work& work, ByteView character) {
  for (const bool down : {true, false}) {
    PV_ASSIGN(const bool focused, has_focus(frame, work));
    if (!focused) return false;
    PV_ASSIGN(const bool taken, press_half(frame, character, down));
    if (!taken) return false;
  }
  return has_focus(frame, work);
}

Step<bool> Filler::type_keys(const Values& values, const Frame& frame, const Work& work, Shape shape) {
  const SecretBytes text = values.text(work.pick.field, shape);
  PV_ASSIGN(const bool prepared, flag(frame, "prepare", work.pick.index));
  if (!prepared) return false;
  PV_ASSIGN(const bool here, frame_has_focus(frame, true));
  if (!here) return false;
  PV_TRY(erase(frame, work));
  ByteView rest = text.reveal(SecretAccess{});
  if (has_forms(work.pick.field)) {
    PV_ASSIGN(const std::optional<Json> form, page_.value(page_.call(frame, "form", {argument(work.pick.index)})));
    rest = line_of(rest, form ? form->int_or(0) : 0);
  }
  while (!rest.empty()) {
    const std::size_t size = std::min(sequence_length(rest.front()), rest.size());
    PV_ASSIGN(const bool focused, press(frame, work, rest.first(size)));
    rest = rest.subspan(size);
    // A page may go on to its next field after the last character, never before.
    if (!focused && !rest.empty()) return false;
  }
  return flag(frame, "kept", work.pick.index);
}

Step<void> Filler::step_select(const Frame& frame, Work& work) {
  PV_ASSIGN(const bool prepared, flag(frame, "prepare", work.pick.index));
  if (!prepared) return reject(work, Why::hidden);
  PV_ASSIGN(const bool here, frame_has_focus(frame, true));
  for (int i = 0; here && i < kMaxSteps; ++i) {
    PV_ASSIGN(const std::optional<Json> answer,
              page_.value(page_.call(frame, "direction", {argument(work.pick.index)})));
    PV_TRY(unchanged());
    PV_ASSIGN(const bool focused, has_focus(frame, work));
    const std::int64_t way = answer ? answer->int_or(0) : 0;
    if (way == 0 || !focused) break;
    PV_TRY(key(frame, way > 0 ? "ArrowDown" : "ArrowUp", way > 0 ? kArrowDown : kArrowUp));
  }
  PV_ASSIGN(const bool kept, flag(frame, "kept", work.pick.index));
  if (kept) return {};
  PV_ASSIGN(const bool chosen, flag(frame, "choose", work.pick.index));
  if (chosen) return {};
  return reject(work, Why::not_kept);
}

// Empties the fields by the finder. A page that keeps its own model may undo that: those get Backspace keys.
bool Filler::clear() {
  bool all = clear_by_finder();
  if (all || page_.changed()) return all;
  for (const Work& work : works_) {
    const Frame* const frame = frame_of(work);
    if (frame == nullptr || frame->world.empty() || !work.left) continue;
    const Frame here = *frame;
    const auto prepared = flag(here, "prepare", work.pick.index);
    if (!prepared || !*prepared) continue;
    // Keys reach a process of its own also when the page gave the focus away for good.
    const bool own_process = page_.top() != nullptr && here.session != page_.top()->session;
    const auto shown = frame_has_focus(here, !own_process);
    if (!shown || (!*shown && !own_process)) continue;
    if (!erase(here, work)) return false;
  }
  return clear_by_finder();
}

bool Filler::clear_by_finder() {
  std::vector<std::pair<std::string, Cdp::Id>> asked;
  bool all = true;
  for (const Work& work : works_) {
    const std::string& id = frames_[work.pick.frame];
    if (std::any_of(asked.begin(), asked.end(), [&](const auto& one) { return one.first == id; })) continue;
    const Frame* const frame = page_.frame(id);
    if (frame == nullptr || frame->world.empty())
      all = false;
    else
      asked.emplace_back(id, page_.call(*frame, "clear", {}, true));
  }
  for (const auto& [frame, call] : asked) {
    const auto answer = page_.value(call);
    const Json::Array* const rows = answer && *answer ? (*answer)->array() : nullptr;
    if (rows == nullptr) return false;
    for (Work& work : works_) {
      if (frames_[work.pick.frame] != frame) continue;
      work.left = std::any_of(rows->begin(), rows->end(),
                              [&](const Json& row) { return says(row, work.pick.index, false); });
      all = all && !work.left;
    }
  }
  return all;
}

}  // namespace popvault::injector
