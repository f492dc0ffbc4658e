#include "injector/press.hpp"

namespace popvault::injector {
namespace {

// The middle of the one element that fits and can be seen; null when there is none, or a second.
constexpr std::string_view kFind = R"(function(selector) {
  let found;
  try { found = [...document.querySelectorAll(selector)]; } catch { return null; }
  found = found.filter(el => !el.disabled && el.checkVisibility({opacityProperty: true, visibilityProperty: true}));
  if (found.length !== 1) return null;
  const [el] = found;
  el.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
  const box = el.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
  const top = document.elementFromPoint(x, y);
  return box.width > 0 && top && (el === top || el.contains(top)) ? {x, y} : null;
})";

constexpr std::string_view kSubmit = "button[type=submit],button:not([type]),input[type=submit],input[type=image]";

Json object(std::initializer_list<Json::Object::value_type> members) { return Json::Object(members); }

Step<bool> press_in(Cdp& cdp, const Frame& frame, const std::string& selector) {
  const Cdp::Id asked =
      cdp.send("Runtime.callFunctionOn",
               object({{"objectId", frame.world},
                       {"functionDeclaration", kFind},
                       {"arguments", Json::Array{object({{"value", selector}})}},
                       {"returnByValue", true}}),
               frame.session);
  PV_ASSIGN(const Cdp::Reply reply, cdp.wait(asked));
  const Json& at = reply.result["result"]["value"];
  const auto x = at["x"].number();
  const auto y = at["y"].number();
  if (!reply.ok || !x || !y) return false;
  for (const std::string_view type : {"mouseMoved", "mousePressed", "mouseReleased"}) {
    Json params = object({{"type", type}, {"x", *x}, {"y", *y}, {"button", "left"}, {"clickCount", 1}});
    if (type == "mouseMoved") params = object({{"type", type}, {"x", *x}, {"y", *y}});
    // Not waited for: a page that posts in the click is held by us.
    cdp.send("Input.dispatchMouseEvent", std::move(params), frame.session);
  }
  return true;
}

}  // namespace

Step<void> press_submit(Cdp& cdp, const Page& page, const std::set<std::string>& filled,
                        const std::vector<std::string>& selectors) {
  std::vector<Frame> frames;
  if (page.top() != nullptr) frames.push_back(*page.top());
  for (const std::string& id : filled) {
    const Frame* const frame = page.frame(id);
    const Frame* const parent = frame == nullptr ? nullptr : page.frame(frame->parent);
    // The mouse goes by the places of a session's outermost document.
    if (parent != nullptr && parent->session != frame->session) frames.push_back(*frame);
  }
  std::vector<std::string> all = selectors;
  all.emplace_back(kSubmit);
  for (const std::string& selector : all)
    for (const Frame& frame : frames) {
      if (frame.world.empty()) continue;
      PV_ASSIGN(const bool pressed, press_in(cdp, frame, selector));
      if (pressed) return {};
    }
  return {};
}

}  // namespace popvault::injector
