#include "injector/survey.hpp"

#include "base/origin.hpp"

namespace popvault::injector {
namespace {

struct Point {
  double x = 0, y = 0;
};

// A row of finder/scan.js: index, field, tier, why, shape, group, required, in view, x, y, repeats, set,
// part, section.
struct Row {
  Candidate candidate;
  bool in_view = false;
  Point at;
};

std::optional<Row> read_row(const Json& json) {
  const Json::Array* const cells = json.array();
  if (cells == nullptr || cells->size() != 14) return std::nullopt;
  const auto number = [&](std::size_t i) { return (*cells)[i].int_or(-1); };
  if (number(0) < 0 || number(0) > 100'000 || number(1) < 0 || number(1) >= kFieldCount || number(3) < 0 ||
      number(3) >= kWhyCount || number(11) < 0 || number(12) < 0 || number(13) < 0 || number(4) < 0 || number(4) >= 1 << 19)
    return std::nullopt;
  Row out;
  out.candidate.index = static_cast<int>(number(0));
  out.candidate.field = static_cast<Field>(number(1));
  out.candidate.tier = static_cast<int>(number(2));
  out.candidate.why = static_cast<Why>(number(3));
  out.candidate.shape = Shape{static_cast<std::uint32_t>(number(4))};
  out.candidate.group = static_cast<int>(number(5));
  out.candidate.required = number(6) == 1;
  out.candidate.repeats = number(10) == 1;
  out.candidate.set = static_cast<int>(number(11));
  out.candidate.part = static_cast<int>(number(12));
  out.candidate.section = static_cast<int>(number(13));
  out.in_view = number(7) == 1;
  out.at = {(*cells)[8].number().value_or(-1), (*cells)[9].number().value_or(-1)};
  return out;
}

// The document says itself what it is: a sandboxed one says "null", and a navigation since the frame tree was read
// would show here.
bool same_document(const Frame& frame, const Job& job) {
  const std::string protocol = frame.scan["url"].text_or("");
  if (frame.origin >= job.origins.size() || (protocol != "https:" && protocol != "http:")) return false;
  const auto told = Origin::parse(frame.scan["origin"].text_or(""));
  const auto listed = Origin::parse(job.origins[frame.origin]);
  return told && listed && *told == *listed;
}

// A candidate on its way up through the frames around it.
struct Climb {
  std::size_t candidate;
  std::string frame;  // the one whose element is looked at next
  Point at;
};

// Not to be seen from outside yet.
void postpone(Candidate& candidate) {
  candidate.allowed = false;
  candidate.pending = true;
}

// Looks at the frame elements of all climbs at once, one level of frames.
Step<std::vector<Climb>> climb(Page& page, Found& found, const std::vector<Climb>& climbs) {
  std::vector<std::pair<Climb, Cdp::Id>> asked;
  std::vector<Climb> next;
  for (const Climb& one : climbs) {
    const Frame* const inner = page.frame(one.frame);
    const Frame* const outer = inner == nullptr ? nullptr : page.frame(inner->parent);
    Candidate& candidate = found.candidates[one.candidate];
    const std::string owner = inner == nullptr ? "" : page.owner(*inner);
    if (outer == nullptr || owner.empty() || outer->world.empty()) {
      postpone(candidate);
      continue;
    }
    Json handle;
    handle.set("objectId", owner);
    Json x, y;
    x.set("value", one.at.x);
    y.set("value", one.at.y);
    asked.emplace_back(one, page.call(*outer, "owner", {handle, x, y}));
  }
  for (const auto& [one, id] : asked) {
    PV_ASSIGN(const std::optional<Json> answer, page.value(id));
    Candidate& candidate = found.candidates[one.candidate];
    if (!answer) {
      postpone(candidate);
      continue;
    }
    const std::int64_t why = (*answer)["why"].int_or(-1);
    if (why < 0 || why >= kWhyCount || (*answer)["sandboxed"].bool_or(true)) {
      candidate.allowed = false;
      continue;
    }
    candidate.why = static_cast<Why>(why);
    const Frame* const inner = page.frame(one.frame);
    const Frame* const outer = inner == nullptr ? nullptr : page.frame(inner->parent);
    if (candidate.why == Why::ok && outer != nullptr && !outer->parent.empty())
      next.push_back({one.candidate,
                      outer->id,
                      {(*answer)["x"].number().value_or(-1), (*answer)["y"].number().value_or(-1)}});
  }
  return next;
}

// Where a field is that was scrolled out of its own frame's view by the search for the others.
Step<Point> fresh_point(Page& page, const Frame& frame, int index) {
  Json argument;
  argument.set("value", index);
  PV_ASSIGN(const std::optional<Json> answer, page.value(page.call(frame, "point", {argument})));
  if (!answer) return Point{-1, -1};
  return Point{(*answer)["x"].number().value_or(-1), (*answer)["y"].number().value_or(-1)};
}

}  // namespace

Step<Found> look(Page& page, const Job& job, bool unlisted_too) {
  PV_TRY(page.survey(unlisted_too));
  Found out;
  out.loading = page.awaits_document();
  std::vector<Climb> climbs;
  std::vector<std::size_t> out_of_view;  // of climbs
  for (const auto& [id, frame] : page.frames()) {
    const Place place = page.place(frame);
    out.loading = out.loading || frame.blank;
    if (frame.origin != kNoOrigin && (frame.scan.is_null() || !frame.scan["complete"].bool_or(false)))
      out.loading = true;
    const Json::Array* const rows = frame.scan["found"].array();
    if (rows == nullptr) continue;
    out.suspects = out.suspects || (place == Place::listed && frame.scan["suspects"].int_or(0) > 0);
    out.frames.push_back(id);
    for (const Json& json : *rows) {
      auto row = read_row(json);
      if (!row) continue;
      row->candidate.frame = out.frames.size() - 1;
      row->candidate.origin = frame.origin;
      row->candidate.allowed = place == Place::listed && same_document(frame, job);
      row->candidate.pending = place == Place::unknown && same_document(frame, job);
      out.candidates.push_back(row->candidate);
      if (!row->candidate.allowed || row->candidate.why != Why::ok || frame.parent.empty()) continue;
      if (!row->in_view) out_of_view.push_back(climbs.size());
      climbs.push_back({out.candidates.size() - 1, id, row->at});
    }
  }
  // Only now: while we wait for an answer, frames come and go.
  for (const std::size_t i : out_of_view) {
    const Frame* const frame = page.frame(climbs[i].frame);
    if (frame == nullptr) continue;
    PV_ASSIGN(climbs[i].at, fresh_point(page, *frame, out.candidates[climbs[i].candidate].index));
  }
  while (!climbs.empty()) {
    PV_ASSIGN(climbs, climb(page, out, climbs));
  }
  return out;
}

}  // namespace popvault::injector
