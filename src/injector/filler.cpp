#include "injector/filler.hpp"

#include <algorithm>
#include <set>

namespace popvault::injector {
namespace {

// What the finder says of one field after fill().
enum State { kKept = 0, kNotKept = 1, kGone = 2, kNoFocus = 3, kNoOption = 4, kSelect = 5 };

constexpr int kSettleMs = 5;
constexpr int kSettleLongMs = 350;   // for a page that does something when a field is left
constexpr int kRefreshMs = 1000;     // after the country was chosen
constexpr std::size_t kFillFrame = 4 * 1024;  // without the values
constexpr std::size_t kEscaped = 6;           // bytes of one in JSON, at most

Json argument(Json value) {
  Json out;
  out.set("value", std::move(value));
  return out;
}

}  // namespace

Filler::Filler(Cdp& cdp, Page& page, std::vector<Candidate> picks, std::vector<std::string> frames,
               std::vector<FieldReport> absent, bool aliases)
    : cdp_(cdp), page_(page), frames_(std::move(frames)), absent_(std::move(absent)), aliases_(aliases) {
  for (const Candidate& pick : picks) works_.push_back({pick, Why::ok});
  std::set<std::string> pinned;
  for (const Work& work : works_) pinned.insert(frames_[work.pick.frame]);
  page_.pin(pinned);
  ask_documents();
}

// In three steps, each while something else is waited for.
void Filler::ask_documents() {
  std::set<std::string> seen;
  for (const Work& work : works_) {
    const Frame* const frame = frame_of(work);
    if (frame == nullptr || !seen.insert(frame->id).second) continue;
    Json params;
    params.set("objectId", frame->world);
    params.set("functionDeclaration", "function(){return this.document()}");
    documents_.emplace_back(frame->session, cdp_.send("Runtime.callFunctionOn", std::move(params), frame->session));
  }
}

Step<void> Filler::ask_listeners() {
  for (const auto& [session, id] : documents_) {
    PV_ASSIGN(const Cdp::Reply reply, cdp_.wait(id));
    Json params;
    params.set("objectId", reply.result["result"]["objectId"].text_or(""));
    params.set("depth", -1);
    params.set("pierce", true);
    listeners_.push_back(cdp_.send("DOMDebugger.getEventListeners", std::move(params), session));
  }
  documents_.clear();
  return {};
}

Step<bool> Filler::listens() {
  bool out = false;
  for (const Cdp::Id id : listeners_) {
    PV_ASSIGN(const Cdp::Reply reply, cdp_.wait(id));
    const Json::Array* const list = reply.result["listeners"].array();
    out = out || list == nullptr || std::any_of(list->begin(), list->end(), [](const Json& one) {
            const std::string type = one["type"].text_or("");
            return type == "blur" || type == "focusout" || type == "change";
          });
  }
  listeners_.clear();
  return out;
}

std::set<std::string> Filler::frames() const {
  std::set<std::string> out;
  for (const Work& work : works_) out.insert(frames_[work.pick.frame]);
  return out;
}

bool Filler::has(Field field) const {
  return std::any_of(works_.begin(), works_.end(), [&](const Work& work) { return work.pick.field == field; });
}

std::vector<FieldReport> Filler::reports() const {
  std::vector<FieldReport> out;
  for (const Work& work : works_) {
    if (work.pick.part == 0) {
      out.push_back({work.pick.field, work.pick.origin, work.why});
    } else if (out.back().why == Why::ok) {
      out.back().why = work.why;
    }
  }
  out.insert(out.end(), absent_.begin(), absent_.end());
  if (lacks_holder_) out.push_back({Field::holder, kNoOrigin, Why::missing});
  return out;
}

tl::unexpected<Failure> Filler::reject(Work& work, Why why) {
  work.why = why;
  return stop(Outcome::field_rejected);
}

bool Filler::says(const Json& row, int index, bool flag) {
  const Json::Array* const cells = row.array();
  return cells != nullptr && cells->size() == 2 && (*cells)[0].int_or(-1) == index &&
         (*cells)[1].bool_or(!flag) == flag;
}

Step<void> Filler::unchanged() {
  if (page_.changed()) return stop(Outcome::navigated);
  return {};
}

Step<Cdp::Id> Filler::send(SecretFrame& command, const Frame& frame) {
  PV_TRY(cdp_.channel().still_wanted());
  typed_ = true;
  return aliases_ ? cdp_.send_open(command, frame.session) : cdp_.send_secret(command, frame.session);
}

Step<void> Filler::fill(const Values& values) {
  PV_TRY(ask_listeners());
  std::vector<std::size_t> order;
  for (const Work& work : works_)
    if (std::find(order.begin(), order.end(), work.pick.frame) == order.end())
      order.push_back(work.pick.frame);
  for (const std::size_t frame : order) {
    std::vector<std::size_t> here;
    for (std::size_t i = 0; i < works_.size(); ++i)
      if (works_[i].pick.frame == frame) here.push_back(i);
    PV_TRY(fill_frame(values, here));
  }
  return {};
}

Step<void> Filler::fill_frame(const Values& values, const std::vector<std::size_t>& works) {
  PV_TRY(unchanged());
  const Frame* const frame = frame_of(works_[works.front()]);
  if (frame == nullptr || frame->world.empty()) return stop(Outcome::navigated);
  const Frame here = *frame;
  // The country before the rest: a page may ask for other things then.
  const auto country = std::find_if(works.begin(), works.end(),
                                    [&](std::size_t i) { return works_[i].pick.field == Field::country; });
  if (country == works.end() || works.size() == 1) return fill_works(values, here, works);
  PV_TRY(fill_works(values, here, {*country}));
  PV_ASSIGN(const std::optional<Json> looked, page_.value(page_.call(here, "refresh", {argument(kRefreshMs)}, true)));
  PV_TRY(unchanged());
  if (!looked) return stop(Outcome::navigated);
  std::vector<std::size_t> rest = works;
  std::erase(rest, *country);
  return fill_works(values, here, rest);
}

Step<void> Filler::fill_works(const Values& values, const Frame& here, const std::vector<std::size_t>& works) {
  PV_ASSIGN(const std::vector<int> states, call_fill(values, here, works));
  // A date that this select does not offer: nothing was typed in this frame.
  for (std::size_t i = 0; i < works.size(); ++i)
    if (states[i] == kNoOption) return reject(works_[works[i]], Why::no_such_option);
  for (std::size_t i = 0; i < works.size(); ++i) PV_TRY(finish(values, here, works_[works[i]], states[i]));
  return {};
}

// One command for all fields of a frame, built in secret memory: fill([[index, text, expected], ...]).
Step<std::vector<int>> Filler::call_fill(const Values& values, const Frame& frame,
                                         const std::vector<std::size_t>& works) {
  std::vector<std::pair<SecretBytes, SecretBytes>> texts;
  std::size_t size = 0;
  for (const std::size_t i : works) {
    const Candidate& pick = works_[i].pick;
    texts.emplace_back(values.text(pick.field, pick.shape), values.expected(pick.field, pick.shape));
    size += texts.back().first.size() + texts.back().second.size();
  }
  SecretFrame command(kFillFrame + kEscaped * size);
  Cdp::begin_frame(command, "Runtime.callFunctionOn", frame.session);
  command.plain("{")
      .plain(Page::call_head(frame, "fill"))
      .plain(",\"returnByValue\":true,\"userGesture\":true,\"arguments\":[{\"value\":[");
  for (std::size_t i = 0; i < works.size(); ++i) {
    const auto& [text, expected] = texts[i];
    command.plain(i == 0 ? "[" : ",[")
        .plain(std::to_string(works_[works[i]].pick.index))
        .plain(",\"")
        .secret(text.reveal(SecretAccess{}));
    command.plain("\",\"").secret(expected.reveal(SecretAccess{})).plain("\"]");
  }
  command.plain("]}]}");
  PV_ASSIGN(const Cdp::Id id, send(command, frame));
  PV_ASSIGN(const std::optional<Json> answer, page_.value(id));
  PV_TRY(unchanged());
  const Json::Array* const list = answer ? answer->array() : nullptr;
  if (list == nullptr || list->size() != works.size()) return stop(Outcome::navigated);
  std::vector<int> out;
  for (const Json& state : *list) out.push_back(static_cast<int>(state.int_or(kGone)));
  return out;
}

Step<void> Filler::finish(const Values& values, const Frame& frame, Work& work, int state) {
  switch (state) {
    case kKept: return {};
    case kSelect: return step_select(frame, work);
    case kNotKept: break;
    case kNoFocus: break;
    default: return reject(work, Why::hidden);
  }
  // The page works on key presses, or wants another form of the date.
  std::vector<Shape> shapes;
  shapes.reserve(4);
  shapes.push_back(work.pick.shape);
  if (work.pick.field == Field::exp)
    for (const Shape other : {Shape{0}, Shape{8}, Shape{1}}) shapes.push_back(other);
  if (work.pick.field == Field::exp_year)
    shapes.push_back(Shape{work.pick.shape.bits ^ 8});
  for (const Shape shape : shapes) {
    PV_ASSIGN(const bool kept, type_keys(values, frame, work, shape));
    if (kept) return {};
  }
  return reject(work, Why::not_kept);
}

Step<void> Filler::settle() {
  PV_ASSIGN(const bool busy, listens());
  std::vector<std::pair<std::string, Cdp::Id>> asked;
  std::set<std::string> seen;
  for (const Work& work : works_) {
    const std::string& id = frames_[work.pick.frame];
    const Frame* const frame = page_.frame(id);
    if (frame == nullptr) return stop(Outcome::navigated);
    if (seen.insert(id).second)
      asked.emplace_back(id, page_.call(*frame, "settle", {argument(kSettleMs), argument(kSettleLongMs), argument(busy)}, true));
  }
  // Sent along, to save a round trip: an event or a dead world tells of later changes.
  PV_TRY(page_.confirm_documents());
  bool all_kept = true;
  for (const auto& [id, call] : asked) {
    PV_ASSIGN(const std::optional<Json> answer, page_.value(call));
    if (!answer) return stop(Outcome::navigated);
    lacks_holder_ = lacks_holder_ || (*answer)["lacksHolder"].bool_or(true);
    for (Work& work : works_) {
      if (frames_[work.pick.frame] != id) continue;
      const Json::Array* const rows = (*answer)["rows"].array();
      const bool kept = rows != nullptr && std::any_of(rows->begin(), rows->end(), [&](const Json& row) {
                          return says(row, work.pick.index, true);
                        });
      if (!kept) work.why = Why::not_kept;
      all_kept = all_kept && kept;
    }
  }
  PV_TRY(unchanged());
  if (!all_kept) return stop(Outcome::field_rejected);
  if (lacks_holder_) return stop(Outcome::fields_missing);
  return {};
}

}  // namespace popvault::injector
