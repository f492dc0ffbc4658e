#include "injector/choose.hpp"

#include <algorithm>
#include <array>
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
    if (c.field != field || c.part != 0 || !where(c)) continue;
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
    if (c.field != Field::number || c.part != 0) continue;
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
  if (needs.has_cvc) out.absent.push_back(report(Field::cvc, Why::missing));
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

// The other boxes of what was picked. All of them must be usable.
Step<void> add_boxes(std::span<const Candidate> found, Choice& chosen) {
  List out;
  for (const Candidate& pick : chosen.picks) {
    out.push_back(pick);
    if (pick.set == 0) continue;
    const std::size_t first = out.size();
    for (const Candidate& c : found) {
      if (c.frame != pick.frame || c.set != pick.set || c.part == 0) continue;
      if (!c.allowed || c.why != Why::ok) return missing({report(c.field, c.why == Why::ok ? Why::missing : c.why, c.origin)});
      out.push_back(c);
    }
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
              [](const Candidate& a, const Candidate& b) { return a.part < b.part; });
  }
  chosen.picks = std::move(out);
  return {};
}

Step<Choice> choose_card(std::span<const Candidate> found, Needs needs) {
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
  PV_TRY(add_boxes(found, out));
  return out;
}

bool has(Needs needs, Field field) { return (needs.fields & (1U << static_cast<unsigned>(field))) != 0; }

// The record has it, or can give it: half a name out of the whole one and the other way round.
bool gives(Needs needs, Field field) {
  if (field == Field::given_name || field == Field::family_name) return has(needs, field) || has(needs, Field::name);
  if (field == Field::name)
    return has(needs, field) || (has(needs, Field::given_name) && has(needs, Field::family_name));
  return has(needs, field);
}

constexpr std::array kPlaces = {Field::name,    Field::given_name, Field::family_name, Field::email,
                                Field::phone,   Field::country,    Field::address,     Field::address2,
                                Field::city,    Field::state,      Field::postal_code};

// The section of a form that is filled: billing, then one without a word for it, then shipping; of two of a sort the
// one that asks for more.
struct Section {
  Candidate of;
  int rank = 0;
  int fields = 0;
  bool operator<(const Section& other) const {
    return rank != other.rank ? rank < other.rank : fields < other.fields;
  }
};

bool same_section(const Candidate& a, const Candidate& b) { return same_group(a, b) && a.section == b.section; }

std::vector<Section> sections_of(std::span<const Candidate> usable) {
  std::vector<Section> out;
  for (const Candidate& c : usable) {
    if (std::any_of(out.begin(), out.end(), [&](const Section& s) { return same_section(s.of, c); })) continue;
    static constexpr int kRank[] = {2, 1, 2, 3};  // none, shipping, other, billing
    Section section{c, kRank[c.section & 3], 0};
    for (const Field field : kPlaces)
      section.fields += std::any_of(usable.begin(), usable.end(), [&](const Candidate& other) {
        return other.field == field && same_section(other, c);
      });
    // A form without sections beside one with: contact data in front of the addresses, or a newsletter.
    if (section.rank == 2 && section.fields < 3) section.rank = 0;
    out.push_back(section);
  }
  return out;
}

// The name as one field or as two, by the surer one.
void prefer_name_form(List& picks) {
  const auto tier = [&](Field field) {
    const auto at = std::find_if(picks.begin(), picks.end(), [&](const Candidate& c) { return c.field == field; });
    return at == picks.end() ? -100 : at->tier;
  };
  const int whole = tier(Field::name), pair = std::min(tier(Field::given_name), tier(Field::family_name));
  if (whole < -50 || pair < -50) return;
  std::erase_if(picks, [&](const Candidate& c) {
    return whole > pair ? c.field == Field::given_name || c.field == Field::family_name : c.field == Field::name;
  });
}

constexpr unsigned kNational = 1, kPrefix = 2, kBothLines = 4;  // finder/formats.js

Step<Choice> choose_identity(std::span<const Candidate> found, Needs needs) {
  List usable, known;
  for (const Candidate& c : found) {
    if (!gives(needs, c.field)) continue;
    known.push_back(c);
    if (c.allowed && c.why == Why::ok && (!c.repeats || c.field == Field::email)) usable.push_back(c);
  }
  Choice out;
  const std::vector<Section> sections = sections_of(usable);
  if (sections.empty()) {
    for (const Candidate& c : known) {
      const FieldReport seen = explain(found, c.field);
      if (seen.why != Why::missing) return missing({seen});
    }
    return missing({report(Field::name, Why::missing)});
  }
  const Section best = *std::max_element(sections.begin(), sections.end());
  for (const Section& other : sections)
    if (!same_section(other.of, best.of) && other.rank == best.rank && other.fields == best.fields)
      return stop(Outcome::fields_ambiguous, {report(best.of.field, Why::ambiguous, best.of.origin)});

  const auto inside = [&](const Candidate& c) { return same_section(c, best.of); };
  // What stands in no section of the same form.
  const auto beside = [&](const Candidate& c) { return same_group(c, best.of) && c.section == 0; };
  for (const Field field : kPlaces) {
    const bool phone = field == Field::phone;
    for (const unsigned prefix : {0U, kPrefix}) {
      if (prefix != 0 && !phone) continue;
      const auto part = [&](const Candidate& c) { return !c.repeats && (!phone || (c.shape.bits & kPrefix) == prefix); };
      Best one = best_of(usable, field, [&](const Candidate& c) { return part(c) && inside(c); });
      if (one.one == nullptr) one = best_of(usable, field, [&](const Candidate& c) { return part(c) && beside(c); });
      if (one.one == nullptr) continue;
      if (one.ambiguous) return stop(Outcome::fields_ambiguous, {report(field, Why::ambiguous, one.one->origin)});
      out.picks.push_back(*one.one);
    }
    if (field != Field::email || out.picks.empty() || out.picks.back().field != field) continue;
    // An address to be typed again.
    const Candidate first = out.picks.back();
    for (const Candidate& c : usable)
      if (c.repeats && c.field == field && same_section(c, first)) out.picks.push_back(c);
  }
  // The name is at its place in the section, or the fields of the name alone are beside it.
  prefer_name_form(out.picks);
  const auto picked = [&](Field field, unsigned bits) {
    return std::any_of(out.picks.begin(), out.picks.end(),
                       [&](const Candidate& c) { return c.field == field && (c.shape.bits & bits) == bits; });
  };
  const bool prefix = picked(Field::phone, kPrefix), line2 = picked(Field::address2, 0);
  for (Candidate& c : out.picks) {
    if (c.field == Field::phone && (c.shape.bits & kPrefix) == 0 && prefix) c.shape.bits |= kNational | kBothLines;
    if (c.field == Field::address && line2) c.shape.bits &= ~kBothLines;
    if (c.field == Field::address && !line2 && has(needs, Field::address2) && (c.shape.bits & kBothLines) == 0) c.shape.bits |= kNational;
  }
  // What the page insists on, the record has, and nobody could type into.
  for (const Candidate& c : known)
    if (c.required && c.allowed && c.why != Why::ok && c.why != Why::hidden && inside(c) && !picked(c.field, 0))
      return missing({report(c.field, c.why, c.origin)});
  return out;
}

constexpr std::array kLogin = {Field::username, Field::password, Field::totp};

Step<Choice> choose_login(std::span<const Candidate> found, Needs needs) {
  List usable;
  for (const Candidate& c : found)
    if (has(needs, c.field) && c.allowed && c.why == Why::ok && !c.repeats) usable.push_back(c);
  const auto anywhere = [](const Candidate&) { return true; };
  Choice out;
  // The form of the password decides, then that of the code.
  const Candidate* anchor = nullptr;
  for (const Field field : {Field::password, Field::totp}) {
    const Best best = best_of(usable, field, anywhere);
    if (best.ambiguous && anchor == nullptr)
      return stop(Outcome::fields_ambiguous, {report(field, Why::ambiguous, best.one->origin)});
    if (anchor == nullptr) anchor = best.one;
  }
  for (const Field field : kLogin) {
    if (!has(needs, field)) continue;
    Best best = best_of(usable, field, [&](const Candidate& c) { return anchor == nullptr || same_group(c, *anchor); });
    if (best.ambiguous)
      return stop(Outcome::fields_ambiguous, {report(field, Why::ambiguous, best.one->origin)});
    if (best.one != nullptr) {
      out.picks.push_back(*best.one);
    } else {
      out.absent.push_back(explain(found, field));
    }
  }
  if (out.picks.empty()) return missing(std::move(out.absent));
  // A password or code that is asked for here, but where nobody may type it.
  for (const FieldReport& seen : out.absent)
    if (seen.why == Why::covered || seen.why == Why::frame_not_allowed || seen.why == Why::wrong_type) return missing({seen});
  PV_TRY(add_boxes(found, out));
  return out;
}

}  // namespace

Needs needs_of(const Job& job) { return {job.has_cvc, job.has_holder, job.kind, job.fields}; }

Step<Choice> choose(std::span<const Candidate> found, Needs needs) {
  switch (needs.kind) {
    case Kind::identity: return choose_identity(found, needs);
    case Kind::login: return choose_login(found, needs);
    case Kind::card: break;
  }
  return choose_card(found, needs);
}

}  // namespace popvault::injector
