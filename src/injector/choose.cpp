#include "injector/choose.hpp"

#include <algorithm>
#include <optional>

namespace popvault::injector {
namespace {

using List = std::vector<Candidate>;

FieldReport report(Field field, Why why, std::uint8_t origin = 0xff) { return {field, origin, why}; }

bool same_group(const Candidate& a, const Candidate& b) { return a.frame == b.frame && a.group == b.group; }

// The surest candidate for a field. Ambiguous when two are equally sure.
struct Best {
  const Candidate* one = nullptr;
  bool ambiguous = false;
};

template <class Where>
Best best_of(std::span<const Candidate> usable, Field field, Where where) {
  Best out;
  for (const Candidate& c : usable) {
    if (c.field != field || !where(c)) continue;
    if (out.one == nullptr || c.tier > out.one->tier) {
      out = {&c, false};
    } else if (c.tier == out.one->tier) {
      out.ambiguous = true;
    }
  }
  return out;
}

// The expiry as one field or as two.
struct Expiry {
  std::vector<const Candidate*> parts;
  bool ambiguous = false;
  std::vector<Field> missing;
};

template <class Where>
Expiry expiry_of(std::span<const Candidate> usable, Where where) {
  const Best whole = best_of(usable, Field::exp, where);
  const Best month = best_of(usable, Field::exp_month, where);
  const Best year = best_of(usable, Field::exp_year, where);
  const bool pair = month.one != nullptr && year.one != nullptr;
  // Both forms of the date: the surer one.
  if (whole.one != nullptr && (!pair || whole.one->tier >= std::min(month.one->tier, year.one->tier)))
    return {{whole.one}, whole.ambiguous, {}};
  if (pair) return {{month.one, year.one}, month.ambiguous || year.ambiguous, {}};
  if (month.one != nullptr) return {{}, false, {Field::exp_year}};
  if (year.one != nullptr) return {{}, false, {Field::exp_month}};
  return {{}, false, {Field::exp}};
}

// One representative of each form that has a number and an expiry.
List complete_groups(std::span<const Candidate> usable) {
  List out;
  for (const Candidate& c : usable) {
    if (c.field != Field::number) continue;
    const auto here = [&](const Candidate& other) { return same_group(c, other); };
    if (std::any_of(out.begin(), out.end(), here)) continue;
    if (!expiry_of(usable, here).parts.empty()) out.push_back(*best_of(usable, Field::number, here).one);
  }
  return out;
}

// Of several complete forms, the one whose number field is surer than all others'; none when two are equal.
const Candidate* surest(const List& groups) {
  const Candidate* out = nullptr;
  for (const Candidate& c : groups)
    if (out == nullptr || c.tier > out->tier) out = &c;
  const auto equal =
      std::count_if(groups.begin(), groups.end(), [&](const Candidate& c) { return c.tier == out->tier; });
  return equal == 1 ? out : nullptr;
}

// Why there is no usable field: the most telling of what was seen. A field in an unlisted frame counts only when
// it could have been filled; one in a frame that is not known yet is still to come.
FieldReport explain(std::span<const Candidate> found, Field field) {
  FieldReport out = report(field, Why::missing);
  for (const Candidate& c : found) {
    if (c.field != field) continue;
    if (c.allowed && c.why != Why::ok) return report(field, c.why, c.origin);
    if (!c.allowed && !c.pending && (c.why == Why::ok || c.why == Why::covered))
      out = report(field, Why::frame_not_allowed);
  }
  return out;
}

// A date that was not found as one field may have been seen as two.
FieldReport explain_expiry(std::span<const Candidate> found, Field field) {
  FieldReport out = explain(found, field);
  for (const Field part : {Field::exp_month, Field::exp_year})
    if (field == Field::exp && out.why == Why::missing && explain(found, part).why != Why::missing)
      out = explain(found, part);
  return out;
}

tl::unexpected<Failure> missing(std::vector<FieldReport> reports) {
  const bool elsewhere = std::any_of(reports.begin(), reports.end(),
                                     [](const FieldReport& r) { return r.why == Why::frame_not_allowed; });
  return stop(elsewhere ? Outcome::origin_not_allowed : Outcome::fields_missing, std::move(reports));
}

// The code: asked for when a field for it is there to be seen.
Step<void> add_cvc(std::span<const Candidate> found, std::span<const Candidate> pool, Needs needs,
                   Choice& out) {
  const auto anywhere = [](const Candidate&) { return true; };
  const auto beside = [&](const Candidate& c) { return same_group(c, out.picks.front()); };
  Best best = best_of(pool, Field::cvc, beside);
  if (best.one == nullptr) best = best_of(pool, Field::cvc, anywhere);
  if (best.one != nullptr && !needs.has_cvc)
    return missing({report(Field::cvc, Why::missing, best.one->origin)});
  if (best.ambiguous)
    return stop(Outcome::fields_ambiguous, {report(Field::cvc, Why::ambiguous, best.one->origin)});
  if (best.one != nullptr) {
    out.picks.push_back(*best.one);
    return {};
  }
  const FieldReport seen = explain(found, Field::cvc);
  if (seen.why == Why::covered || seen.why == Why::frame_not_allowed || seen.why == Why::wrong_type)
    return missing({seen});
  if (std::any_of(found.begin(), found.end(), [](const Candidate& c) { return c.pending && c.field == Field::cvc; }))
    return missing({report(Field::cvc, Why::missing)});
  out.without_cvc = needs.has_cvc;
  return {};
}

// The best field for the holder's name, beside the number if there is one there. `part`: the shape bits of a field for
// the given or the family name alone, 0 for the whole name.
Best holder_field(std::span<const Candidate> pool, const Choice& chosen, unsigned part) {
  const auto fits = [&](const Candidate& c) { return (c.shape.bits & 192U) == part; };
  const Best beside = best_of(pool, Field::holder, [&](const Candidate& c) {
    return fits(c) && same_group(c, chosen.picks.front());
  });
  return beside.one != nullptr ? beside : best_of(pool, Field::holder, fits);
}

// The holder's name: wanted, but a page that lacks it or a record without it stops nothing unless required.
Step<void> add_holder(std::span<const Candidate> pool, Needs needs, Choice& out) {
  std::vector<Best> parts{holder_field(pool, out, 0)};
  if (parts.front().one == nullptr) parts = {holder_field(pool, out, 64), holder_field(pool, out, 128)};
  for (const Best& best : parts) {
    if (best.one == nullptr) continue;
    if (!needs.has_holder) {
      if (best.one->required) return missing({report(Field::holder, Why::missing, best.one->origin)});
      continue;
    }
    if (best.ambiguous)
      return stop(Outcome::fields_ambiguous, {report(Field::holder, Why::ambiguous, best.one->origin)});
    out.picks.push_back(*best.one);
  }
  return {};
}

// What was picked stands in its form a second time.
Step<void> refuse_repeats(std::span<const Candidate> found, const Choice& chosen) {
  for (const Candidate& c : found) {
    const auto twice = [&](const Candidate& pick) { return pick.field == c.field && same_group(pick, c); };
    if (c.repeats && std::any_of(chosen.picks.begin(), chosen.picks.end(), twice))
      return stop(Outcome::fields_ambiguous, {report(c.field, Why::ambiguous, c.origin)});
  }
  return {};
}

}  // namespace

Step<Choice> choose(std::span<const Candidate> found, Needs needs) {
  List usable;
  std::copy_if(found.begin(), found.end(), std::back_inserter(usable),
               [](const Candidate& c) { return c.allowed && c.why == Why::ok && !c.repeats; });
  const List groups = complete_groups(usable);
  const Candidate* const group = groups.empty() ? nullptr : surest(groups);
  if (groups.size() > 1 && group == nullptr)
    return stop(Outcome::fields_ambiguous, {report(Field::number, Why::ambiguous, groups.front().origin)});
  const auto where = [&](const Candidate& c) { return group == nullptr || same_group(c, *group); };

  const Best number = best_of(usable, Field::number, where);
  const Expiry expiry = expiry_of(usable, where);
  std::vector<FieldReport> absent;
  if (number.one == nullptr) absent.push_back(explain(found, Field::number));
  for (const Field field : expiry.missing) absent.push_back(explain_expiry(found, field));
  if (!absent.empty()) return missing(std::move(absent));
  if (number.ambiguous)
    return stop(Outcome::fields_ambiguous, {report(Field::number, Why::ambiguous, number.one->origin)});
  if (expiry.ambiguous)
    return stop(Outcome::fields_ambiguous,
                {report(expiry.parts.front()->field, Why::ambiguous, expiry.parts.front()->origin)});

  Choice out;
  out.picks.push_back(*number.one);
  for (const Candidate* part : expiry.parts) out.picks.push_back(*part);
  PV_TRY(add_cvc(found, usable, needs, out));
  PV_TRY(add_holder(usable, needs, out));
  PV_TRY(refuse_repeats(found, out));
  return out;
}

}  // namespace popvault::injector
