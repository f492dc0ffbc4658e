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

}  // namespace
}  // namespace popvault::injector
