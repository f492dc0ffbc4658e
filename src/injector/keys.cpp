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

Step<void> Filler::key(const std::string& type, std::string_view name, int code) {
  Json params;
  params.set("type", type);
  params.set("key", name);
  params.set("code", name);
  params.set("windowsVirtualKeyCode", code);
  PV_ASSIGN(const Cdp::Reply reply,
            cdp_.wait(cdp_.send("Input.dispatchKeyEvent", std::move(params), page_.main_session())));
  if (!reply.ok) return stop(Outcome::failed);
  return {};
}

// The browser sends keys to the frame that has the focus, and learns of a change a moment after the frame. The frames
// around it learn of it from the browser: when they show it, keys go there.
Step<bool> Filler::frame_has_focus(const Frame& frame) {
  for (const Frame* inner = &frame; inner != nullptr && !inner->parent.empty();) {
    const Frame* const outer = page_.frame(inner->parent);
    if (outer == nullptr || inner->owner.empty()) return false;
    Json handle;
    handle.set("objectId", inner->owner);
    bool shown = false;
    for (int i = 0; i < kFocusTries && !shown; ++i) {
      PV_ASSIGN(const std::optional<Json> answer, page_.value(page_.call(*outer, "shows", {handle})));
      shown = answer && answer->bool_or(false);
      if (!shown) PV_TRY(cdp_.poll(Clock::now() + std::chrono::milliseconds(2)));
    }
    if (!shown) return false;
    inner = outer;
  }
  return true;
}

Step<void> Filler::erase(const Frame& frame, const Work& work) {
  PV_ASSIGN(std::optional<Json> length,
            page_.value(page_.call(frame, "length", {argument(work.pick.index)})));
  for (std::int64_t left = length ? length->int_or(0) : 0; left > 0; --left) {
    PV_ASSIGN(const bool focused, flag(frame, "focused", work.pick.index));
    if (!focused) break;
    PV_TRY(key("keyDown", "Backspace", kBackspace));
    PV_TRY(key("keyUp", "Backspace", kBackspace));
  }
  return {};
}

// True when the field is still focused afterwards.
Step<bool> Filler::press(const Frame& frame, const Work& work, ByteView character) {
  const bool digit = character.size() == 1 && character[0] >= '0' && character[0] <= '9';
  std::optional<Cdp::Id> down, up;
  for (const bool is_down : {true, false}) {
    SecretFrame command(kKeyFrame);
    const Cdp::Id id = cdp_.begin_secret(command, "Input.dispatchKeyEvent", page_.main_session());
    command.plain(is_down ? "{\"type\":\"keyDown\",\"text\":\"" : "{\"type\":\"keyUp\"");
    if (is_down) command.secret(character).plain("\"");
    command.plain(",\"key\":\"").secret(character).plain("\"");
    if (digit) {
      // "Digit4"; the virtual key code of a digit is its character code.
      command.plain(",\"code\":\"Digit")
          .secret(character)
          .plain("\",\"windowsVirtualKeyCode\":")
          .secret_number(character[0]);
    }
    command.plain("}}");
    PV_TRY(cdp_.send_secret(command));
    (is_down ? down : up) = id;
  }
  const Cdp::Id asked = page_.call(frame, "focused", {argument(work.pick.index)});
  PV_ASSIGN(const Cdp::Reply pressed, cdp_.wait(*down));
  PV_ASSIGN(const Cdp::Reply released, cdp_.wait(*up));
  PV_ASSIGN(const std::optional<Json> focused, page_.value(asked));
  PV_TRY(unchanged());
  return pressed.ok && released.ok && focused && focused->bool_or(false);
}

Step<bool> Filler::type_keys(const CardValues& card, const Frame& frame, const Work& work, Shape shape) {
  const SecretBytes text = card.text(work.pick.field, shape);
  PV_ASSIGN(const bool prepared, flag(frame, "prepare", work.pick.index));
  if (!prepared) return false;
  PV_ASSIGN(const bool here, frame_has_focus(frame));
  if (!here) return false;
  PV_TRY(erase(frame, work));
  ByteView rest = text.reveal(SecretAccess{});
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
  PV_ASSIGN(const bool here, frame_has_focus(frame));
  for (int i = 0; here && i < kMaxSteps; ++i) {
    PV_ASSIGN(const std::optional<Json> answer,
              page_.value(page_.call(frame, "direction", {argument(work.pick.index)})));
    PV_TRY(unchanged());
    PV_ASSIGN(const bool focused, flag(frame, "focused", work.pick.index));
    const std::int64_t way = answer ? answer->int_or(0) : 0;
    if (way == 0 || !focused) break;
    PV_TRY(key("keyDown", way > 0 ? "ArrowDown" : "ArrowUp", way > 0 ? kArrowDown : kArrowUp));
    PV_TRY(key("keyUp", way > 0 ? "ArrowDown" : "ArrowUp", way > 0 ? kArrowDown : kArrowUp));
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
    if (!prepared || !*prepared || !frame_has_focus(here)) continue;
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
