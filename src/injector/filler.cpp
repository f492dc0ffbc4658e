#include "injector/filler.hpp"

#include <algorithm>
#include <set>

namespace popvault::injector {
namespace {

// What the finder says of one field after fill().
enum State { kKept = 0, kNotKept = 1, kGone = 2, kNoFocus = 3, kNoOption = 4, kSelect = 5 };

constexpr int kSettleMs = 5;
constexpr std::size_t kFillFrame = 8 * 1024;  // a few hundred bytes of values, the rest is names

Json argument(Json value) {
  Json out;
  out.set("value", std::move(value));
  return out;
}

}  // namespace

Filler::Filler(Cdp& cdp, Page& page, std::vector<Candidate> picks, std::vector<std::string> frames)
    : cdp_(cdp), page_(page), frames_(std::move(frames)) {
  for (const Candidate& pick : picks) works_.push_back({pick, Why::ok});
  std::set<std::string> pinned;
  for (const Work& work : works_) pinned.insert(frames_[work.pick.frame]);
  page_.pin(pinned);
}

std::vector<FieldReport> Filler::reports() const {
  std::vector<FieldReport> out;
  for (const Work& work : works_) out.push_back({work.pick.field, work.pick.origin, work.why});
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

Step<void> Filler::send(SecretFrame& command) {
  PV_TRY(cdp_.channel().still_wanted());
  typed_ = true;
  return cdp_.send_secret(command);
}

Step<void> Filler::fill(const CardValues& card) {
  std::vector<std::size_t> order;
  for (const Work& work : works_)
    if (std::find(order.begin(), order.end(), work.pick.frame) == order.end())
      order.push_back(work.pick.frame);
  for (const std::size_t frame : order) {
    std::vector<std::size_t> here;
    for (std::size_t i = 0; i < works_.size(); ++i)
      if (works_[i].pick.frame == frame) here.push_back(i);
    PV_TRY(fill_frame(card, here));
  }
  return {};
}

Step<void> Filler::fill_frame(const CardValues& card, const std::vector<std::size_t>& works) {
  PV_TRY(unchanged());
  const Frame* const frame = frame_of(works_[works.front()]);
  if (frame == nullptr || frame->world.empty()) return stop(Outcome::navigated);
  const Frame here = *frame;
  PV_ASSIGN(const std::vector<int> states, call_fill(card, here, works));
  // A date that this select does not offer: nothing was typed in this frame.
  for (std::size_t i = 0; i < works.size(); ++i)
    if (states[i] == kNoOption) return reject(works_[works[i]], Why::no_such_option);
  for (std::size_t i = 0; i < works.size(); ++i) PV_TRY(finish(card, here, works_[works[i]], states[i]));
  return {};
}

// One command for all fields of a frame, built in secret memory: fill([[index, text, expected], ...]).
Step<std::vector<int>> Filler::call_fill(const CardValues& card, const Frame& frame,
                                         const std::vector<std::size_t>& works) {
  SecretFrame command(kFillFrame);
  const Cdp::Id id = cdp_.begin_secret(command, "Runtime.callFunctionOn", frame.session);
  command.plain("{")
      .plain(Page::call_head(frame, "fill"))
      .plain(",\"returnByValue\":true,\"userGesture\":true,\"arguments\":[{\"value\":[");
  for (std::size_t i = 0; i < works.size(); ++i) {
    const Candidate& pick = works_[works[i]].pick;
    const SecretBytes text = card.text(pick.field, pick.shape);
    const SecretBytes expected = card.expected(pick.field, pick.shape);
    command.plain(i == 0 ? "[" : ",[")
        .plain(std::to_string(pick.index))
        .plain(",\"")
        .secret(text.reveal(SecretAccess{}));
    command.plain("\",\"").secret(expected.reveal(SecretAccess{})).plain("\"]");
  }
  command.plain("]}]}}");
  PV_TRY(send(command));
  PV_ASSIGN(const std::optional<Json> answer, page_.value(id));
  PV_TRY(unchanged());
  const Json::Array* const list = answer ? answer->array() : nullptr;
  if (list == nullptr || list->size() != works.size()) return stop(Outcome::navigated);
  std::vector<int> out;
  for (const Json& state : *list) out.push_back(static_cast<int>(state.int_or(kGone)));
  return out;
}

Step<void> Filler::finish(const CardValues& card, const Frame& frame, Work& work, int state) {
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
    shapes.push_back(Shape{static_cast<std::uint8_t>(work.pick.shape.bits ^ 8)});
  for (const Shape shape : shapes) {
    PV_ASSIGN(const bool kept, type_keys(card, frame, work, shape));
    if (kept) return {};
  }
  return reject(work, Why::not_kept);
}

Step<void> Filler::settle() {
  std::vector<std::pair<std::string, Cdp::Id>> asked;
  std::set<std::string> seen;
  for (const Work& work : works_) {
    const std::string& id = frames_[work.pick.frame];
    const Frame* const frame = page_.frame(id);
    if (frame == nullptr) return stop(Outcome::navigated);
    if (seen.insert(id).second)
      asked.emplace_back(id, page_.call(*frame, "settle", {argument(kSettleMs)}, true));
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
