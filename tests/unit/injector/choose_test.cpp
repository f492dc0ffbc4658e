// Which fields get the card, as a table of pages.
#include "injector/choose.hpp"

#include <gtest/gtest.h>

namespace popvault::injector {
namespace {

constexpr int kToken = 8, kNamed = 6, kNear = 2;

Candidate field(Field what, int tier = kToken, int group = 0, Why why = Why::ok, std::size_t frame = 0) {
  Candidate out;
  out.field = what;
  out.tier = tier;
  out.group = group;
  out.why = why;
  out.frame = frame;
  out.allowed = true;
  out.origin = 0;
  return out;
}

Candidate unlisted(Field what, Why why = Why::ok) {
  Candidate out = field(what, kToken, 0, why, 9);
  out.allowed = false;
  out.origin = 0xff;
  return out;
}

struct Row {
  const char* page;
  std::vector<Candidate> found;
  Needs needs{};
  Outcome outcome;            // filled: chosen
  std::vector<Field> picks;   // in order
  Field field = Field::number;
  Why why = Why::ok;          // of the first report when refused
};

const auto N = Field::number, E = Field::exp, M = Field::exp_month, Y = Field::exp_year, C = Field::cvc, H = Field::holder;
const Needs kAll{true, true}, kNoName{true, false}, kBare{false, false};

std::vector<Row> rows() {
  Candidate required_holder = field(H);
  required_holder.required = true;
  Candidate again = field(N, kNamed), again_elsewhere = field(N, kNamed, 1);
  again.repeats = again_elsewhere.repeats = true;
  return {
      {"plain", {field(N), field(E), field(C), field(H)}, kAll, Outcome::filled, {N, E, C, H}},
      {"month and year", {field(N), field(M), field(Y), field(C)}, kAll, Outcome::filled, {N, M, Y, C}},
      {"the surer date wins", {field(N), field(E, kNamed), field(M), field(Y)}, kNoName, Outcome::filled, {N, M, Y}},
      {"a weak decoy beside", {field(N), field(N, kNamed, 1), field(E)}, kBare, Outcome::filled, {N, E}},
      {"no code on the page", {field(N), field(E)}, kAll, Outcome::filled, {N, E}},
      {"a hidden code is not asked for", {field(N), field(E), field(C, kToken, 0, Why::hidden)}, kAll, Outcome::filled, {N, E}},
      {"a covered code is", {field(N), field(E), field(C, kToken, 0, Why::covered)}, kAll, Outcome::fields_missing, {}, C, Why::covered},
      {"code asked for, not in the record", {field(N), field(E), field(C)}, kBare, Outcome::fields_missing, {}, C, Why::missing},
      {"code in an unlisted frame", {field(N), field(E), unlisted(C)}, kAll, Outcome::origin_not_allowed, {}, C, Why::frame_not_allowed},
      {"holder not in the record", {field(N), field(E), field(H)}, kNoName, Outcome::filled, {N, E}},
      {"holder required", {field(N), field(E), required_holder}, kNoName, Outcome::fields_missing, {}, H, Why::missing},
      {"three frames", {field(N, kToken, 0, Why::ok, 1), field(E, kToken, 0, Why::ok, 2), field(C, kToken, 0, Why::ok, 3)}, kAll, Outcome::filled, {N, E, C}},
      {"two equal forms", {field(N), field(E), field(N, kToken, 1), field(E, kToken, 1)}, kAll, Outcome::fields_ambiguous, {}, N, Why::ambiguous},
      {"two forms, one surer", {field(N), field(E), field(N, kNear, 1), field(E, kNear, 1)}, kAll, Outcome::filled, {N, E}},
      {"a loose number beside a form", {field(N), field(E), field(N, kToken, 1)}, kAll, Outcome::filled, {N, E}},
      {"two numbers in one form", {field(N), field(N), field(E)}, kAll, Outcome::fields_ambiguous, {}, N, Why::ambiguous},
      {"a number to repeat", {field(N), again, field(E)}, kBare, Outcome::fields_ambiguous, {}, N, Why::ambiguous},
      {"one to repeat in another form", {field(N), field(E), again_elsewhere}, kBare, Outcome::filled, {N, E}},
      {"two loose numbers", {field(N, kToken, 1), field(N, kToken, 2), field(E, kToken, 3)}, kAll, Outcome::fields_ambiguous, {}, N, Why::ambiguous},
      {"two codes", {field(N), field(E), field(C), field(C)}, kAll, Outcome::fields_ambiguous, {}, C, Why::ambiguous},
      {"the form's own code", {field(N), field(E), field(C), field(C, kToken, 1)}, kAll, Outcome::filled, {N, E, C}},
      {"nothing", {}, kAll, Outcome::fields_missing, {}, N, Why::missing},
      {"covered number", {field(N, kToken, 0, Why::covered), field(E)}, kAll, Outcome::fields_missing, {}, N, Why::covered},
      {"only in an unlisted frame", {unlisted(N), unlisted(E)}, kAll, Outcome::origin_not_allowed, {}, N, Why::frame_not_allowed},
      {"hidden in an unlisted frame", {unlisted(N, Why::hidden), field(E)}, kAll, Outcome::fields_missing, {}, N, Why::missing},
      {"month without year", {field(N), field(M)}, kAll, Outcome::fields_missing, {}, Y, Why::missing},
      {"unlisted and listed", {unlisted(N), field(N), field(E)}, kAll, Outcome::filled, {N, E}},
  };
}

TEST(Choose, Table) {
  for (const Row& row : rows()) {
    const auto choice = choose(row.found, row.needs);
    if (row.outcome == Outcome::filled) {
      ASSERT_TRUE(choice) << row.page;
      std::vector<Field> picks;
      for (const Candidate& pick : choice->picks) picks.push_back(pick.field);
      EXPECT_EQ(picks, row.picks) << row.page;
      for (const Candidate& pick : choice->picks) EXPECT_TRUE(pick.allowed && pick.why == Why::ok) << row.page;
    } else {
      ASSERT_FALSE(choice) << row.page;
      EXPECT_EQ(choice.error().outcome, row.outcome) << row.page;
      ASSERT_FALSE(choice.error().fields.empty()) << row.page;
      EXPECT_EQ(choice.error().fields.front().field, row.field) << row.page;
      EXPECT_EQ(choice.error().fields.front().why, row.why) << row.page;
    }
  }
}

TEST(Choose, TellsOfACodeThatIsNotThereYet) {
  EXPECT_EQ(choose(std::vector{field(N), field(E)}, kAll)->absent.size(), 1U);
  EXPECT_TRUE(choose(std::vector{field(N), field(E)}, kBare)->absent.empty());
  EXPECT_TRUE(choose(std::vector{field(N), field(E), field(C)}, kAll)->absent.empty());
}

Candidate box(Field what, int set, int part, Why why = Why::ok) {
  Candidate out = field(what, kNamed, 0, why);
  out.set = set;
  out.part = part;
  out.index = part;
  return out;
}

std::vector<Field> fields_of(const Choice& choice) {
  std::vector<Field> out;
  for (const Candidate& pick : choice.picks) out.push_back(pick.field);
  return out;
}

TEST(Choose, BoxesOfOneValue) {
  const auto choice = choose(std::vector{box(N, 1, 2), box(N, 1, 0), box(N, 1, 1), field(E)}, kBare);
  ASSERT_TRUE(choice);
  EXPECT_EQ(fields_of(*choice), (std::vector{N, N, N, E}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(choice->picks[static_cast<std::size_t>(i)].part, i);
  const auto covered = choose(std::vector{box(N, 1, 0), box(N, 1, 1, Why::covered), field(E)}, kBare);
  ASSERT_FALSE(covered);
  EXPECT_EQ(covered.error().outcome, Outcome::fields_missing);
  EXPECT_EQ(covered.error().fields.front().why, Why::covered);
  EXPECT_EQ(choose(std::vector{box(N, 1, 0), box(N, 2, 0), field(E)}, kBare).error().outcome, Outcome::fields_ambiguous);
}

constexpr int kShipping = 1 * 4 + 1, kBilling = 2 * 4 + 3, kBilling2 = 3 * 4 + 3;

Candidate place(Field what, int section = 0, int group = 0, Why why = Why::ok) {
  Candidate out = field(what, kToken, group, why);
  out.section = section;
  return out;
}

Needs needs(Kind kind, std::initializer_list<Field> list) {
  Needs out;
  out.kind = kind;
  for (const Field one : list) out.fields |= 1U << static_cast<unsigned>(one);
  return out;
}

TEST(Choose, Identity) {
  const auto Name = Field::name, Given = Field::given_name, Family = Field::family_name, Mail = Field::email, Phone = Field::phone,
             City = Field::city, Zip = Field::postal_code;
  const Needs all = needs(Kind::identity, {Name, Mail, Phone, City, Zip});
  const auto picks = [&](const std::vector<Candidate>& found, const Needs& of) {
    const auto choice = choose(found, of);
    return choice ? fields_of(*choice) : std::vector<Field>{};
  };
  using Fields = std::vector<Field>;
  EXPECT_EQ(picks({place(Name), place(Mail), place(City)}, all), (Fields{Name, Mail, City}));
  EXPECT_EQ(picks({place(Name), place(Field::state)}, all), (Fields{Name})) << "not in the record";
  EXPECT_EQ(picks({place(Given), place(Family)}, all), (Fields{Given, Family})) << "halves of the name";
  EXPECT_EQ(picks({place(Name)}, needs(Kind::identity, {Given, Family})), (Fields{Name}));
  EXPECT_EQ(picks({place(Name)}, needs(Kind::identity, {Given})), (Fields{}));
  EXPECT_EQ(picks({place(Name, 0, 0, Why::hidden), place(Mail)}, all), (Fields{Mail}));
  EXPECT_EQ(picks({place(Phone), place(Phone)}, all), (Fields{})) << "two of a kind";

  const auto both = choose(std::vector{place(City, kShipping), place(Zip, kShipping), place(Name, kShipping), place(City, kBilling), place(Zip, kBilling),
                                       place(Mail)}, all);
  ASSERT_TRUE(both);
  EXPECT_EQ(fields_of(*both), (Fields{Mail, City, Zip}));
  EXPECT_EQ(both->picks[1].section, kBilling);
  EXPECT_EQ(picks({place(City, kShipping), place(Name, kShipping)}, all), (Fields{Name, City}));
  const auto two = choose(std::vector{place(City, kBilling), place(City, kBilling2)}, all);
  EXPECT_EQ(two.error().outcome, Outcome::fields_ambiguous);
  EXPECT_EQ(picks({place(Mail, 0, 1), place(Name), place(City), place(Zip)}, all), (Fields{Name, City, Zip})) << "another form's e-mail";

  Candidate away = unlisted(Name);
  EXPECT_EQ(choose(std::vector{away}, all).error().outcome, Outcome::origin_not_allowed);
  EXPECT_EQ(choose(std::vector<Candidate>{}, all).error().outcome, Outcome::fields_missing);
  Candidate covered = place(City, 0, 0, Why::covered);
  EXPECT_EQ(picks({place(Name), covered}, all), (Fields{Name}));
  covered.required = true;
  EXPECT_EQ(choose(std::vector{place(Name), covered}, all).error().outcome, Outcome::fields_missing);

  Candidate prefix = place(Phone);
  prefix.shape.bits = 2;
  const auto phone = choose(std::vector{prefix, place(Phone)}, all);
  ASSERT_TRUE(phone);
  ASSERT_EQ(phone->picks.size(), 2U);
  EXPECT_TRUE(phone->picks[0].shape.beside_prefix());
  EXPECT_TRUE(phone->picks[1].shape.prefix());
}

TEST(Choose, Login) {
  const auto User = Field::username, Word = Field::password, Code = Field::totp;
  const Needs all = needs(Kind::login, {User, Word, Code}), two = needs(Kind::login, {User, Word});
  using Fields = std::vector<Field>;
  const auto whole = choose(std::vector{field(User), field(Word)}, two);
  ASSERT_TRUE(whole);
  EXPECT_EQ(fields_of(*whole), (Fields{User, Word}));
  EXPECT_TRUE(whole->absent.empty());
  for (const Field only : {User, Word, Code}) {
    const auto step = choose(std::vector{field(only)}, all);
    ASSERT_TRUE(step);
    EXPECT_EQ(fields_of(*step), Fields{only});
    EXPECT_EQ(step->absent.size(), 2U);
  }
  EXPECT_EQ(choose(std::vector<Candidate>{}, all).error().outcome, Outcome::fields_missing);
  EXPECT_EQ(choose(std::vector{unlisted(Word)}, all).error().outcome, Outcome::origin_not_allowed);
  EXPECT_EQ(choose(std::vector{field(User), unlisted(Word)}, all).error().outcome, Outcome::origin_not_allowed);
  EXPECT_EQ(choose(std::vector{field(Word), field(Word)}, two).error().outcome, Outcome::fields_ambiguous);
  EXPECT_EQ(choose(std::vector{field(User), field(Word, kToken, 0, Why::covered)}, two).error().outcome, Outcome::fields_missing);
  const auto beside = choose(std::vector{field(User, kToken, 1), field(User, kNamed), field(Word, kNamed)}, two);
  ASSERT_TRUE(beside);
  EXPECT_EQ(beside->picks.front().group, 0) << "the name beside the password";
  EXPECT_EQ(fields_of(*choose(std::vector{field(User), field(Code)}, two)), Fields{User}) << "no code in the record";
}

}  // namespace
}  // namespace popvault::injector
