// The recipe's own form: one fault at a time.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sample.hpp"

using namespace popvault;
using namespace popvault::wire;

namespace {

std::string fault(const std::string& text) {
  const auto recipe = Recipe::parse(text);
  if (recipe) return "ok";
  EXPECT_EQ(recipe.error().code, Errc::bad_recipe);
  EXPECT_EQ(recipe.error().detail.find('\n'), std::string::npos);
  return recipe.error().detail;
}

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Recipe, Samples) {
  for (const std::string& request : {kFormRequest, kJsonRequest, kGraphqlRequest, kMultipartRequest})
    EXPECT_EQ(fault(recipe_text(request)), "ok");
}

TEST(Recipe, OneFaultAtATime) {
  const std::string good = recipe_text(kFormRequest);
  const struct {
    const char *from, *to, *detail;
  } rows[] = {
      {R"("name":"sample",)", "", "name: missing"},
      {R"("name":"sample")", R"("name":"Sample")", "name: small letters, digits and -"},
      {R"("name":"sample")", R"("name":"sample","name":"b")", "recipe: not JSON, or a name twice in one object"},
      {R"("name":"sample")", R"("name":"sample","code":"x")", "recipe: unknown member code"},
      {R"("version":1)", R"("version":0)", "version: out of range"},
      {R"("version":1)", R"("version":"1")", "version: an integer is needed"},
      {R"("version":1)", R"("version":1.5)", "version: an integer is needed"},
      {R"("date":"2026-01-31")", R"("date":"today")", "date: YYYY-MM-DD is needed"},
      {R"("mode":"wire")", R"("mode":"open")", "mode: not a word of its list"},
      {R"("mode":"wire")", R"("mode":"sealed")", "documents: missing"},
      {R"("frames":["filled"])", R"("frames":[])", "frames: too few or too many elements"},
      {R"("frames":["filled"])", R"("frames":["any"])", "frames[0]: \"filled\" or an object is needed"},
      {R"("https://api.pay.example")", R"("http://api.pay.example")", "requests[0].origins[0]: https is needed"},
      {R"("https://api.pay.example")", R"("https://api.pay.example:443")", "requests[0].origins[0]: not an exact origin"},
      {R"("https://api.pay.example")", R"("https://*.pay.example")", "requests[0].origins[0]: not an exact origin"},
      {R"("https://api.pay.example")", R"("https://api.pay.example.")", "requests[0].origins[0]: not an exact origin"},
      {R"("POST")", R"("GET")", "requests[0].method: not a word of its list"},
      {R"("/v1/tokens/*")", R"("/v1/**")", "requests[0].path: ** only at the end of a longer path"},
      {R"("/v1/tokens/*")", R"("/v1/*a*")", "requests[0].path: one * in a segment"},
      {R"("/v1/tokens/*")", R"("/v1/../x")", "requests[0].path: not a path in normal form"},
      {R"("/v1/tokens/*")", R"("/v1?x")", "requests[0].path: not a path in normal form"},
      {R"("body":"form")", R"("body":"xml")", "requests[0].body: not a word of its list"},
      {R"("body":"form")", R"("body":"graphql")", "requests[0].graphql: of body graphql, and needed there"},
      {R"("cvc":"card[cvc]")", R"("cvc":"card[number]")", "requests[0].places.cvc: two places at one member"},
      {R"("cvc":"card[cvc]")", R"("cvc":"card[*]")", "requests[0].places.cvc: no * here"},
      {R"("cvc":"card[cvc]")", R"("pin":"card[pin]")", "requests[0].places: unknown member pin"},
      {R"(["MM","M"])", R"(["MMM"])", "requests[0].places.exp_month.formats: not a format of this place"},
      {R"(["MM","M"])", R"(["MM/YY"])", "requests[0].places.exp_month.formats: not a format of this place"},
      {R"({"path":"card[exp_month]","formats":["MM","M"]})", R"("card[exp_month]")",
       "requests[0].places.exp_month: formats are needed"},
      {R"("guid",)", R"("*",)", "requests[0].allow[0]: a name must begin it"},
      {R"("guid",)", R"("card[cvc]",)", "requests[0]: allows a place"},
      {R"("guid",)", R"("key",)", "requests[0]: allows a merchant account"},
      {R"("max":5)", R"("max":-5)", "requests[0].allow[3].max: out of range"},
      {R"({"member":"key"})", R"({"member":"key","query":"k"})", "requests[0].accounts[0]: one of member, header, query, segment"},
      {R"({"member":"key"})", R"({"member":"card[number]"})", "requests[0]: a place is no merchant account"},
      {R"({"member":"key"})", R"({"segment":9})", "requests[0]: the path has no such segment"},
      {R"("accounts":[{"member":"key"},{"header":"x-account"}])", R"("accounts":[])",
       "requests[0].accounts: too few or too many elements"},
      {R"("x-account")", R"("X-Account")", "requests[0].accounts[1].header: in lower case"},
  };
  for (const auto& row : rows) EXPECT_EQ(fault(changed(good, row.from, row.to)), row.detail) << row.to;
  EXPECT_EQ(fault("{}"), "name: missing");
  EXPECT_EQ(fault("[]"), "recipe: an object is needed");
  EXPECT_EQ(fault(good + std::string(kMaxRecipe, ' ')), "recipe: longer than 8 KiB");
}

TEST(Recipe, WhatItNames) {
  const Recipe recipe = recipe_of(R"({"name":"s","version":3,"title":"S","source":"none","date":"2026-01-31","mode":"wire",
    "documents":["https://js.pay.example"],"frames":["filled"],"requests":[)" + kFormRequest + "," + kJsonRequest +
                                  R"(],"submit":"#pay","challenges":["https://acs.example/3ds/**","https://hooks.example/**"]})");
  std::vector<std::string> origins;
  for (const Origin& origin : recipe.origins()) origins.push_back(origin.text());
  EXPECT_EQ(origins, (std::vector<std::string>{"https://js.pay.example", "https://api.pay.example"}));
  EXPECT_EQ(recipe.url_patterns(), std::vector<std::string>{"https://api.pay.example/*"});
  EXPECT_TRUE(recipe.is_challenge("https://acs.example/3ds/a/b?c"));
  EXPECT_TRUE(recipe.is_challenge("https://hooks.example/x"));
  EXPECT_FALSE(recipe.is_challenge("https://acs.example/other"));
  EXPECT_FALSE(recipe.checked);
}

}  // namespace
