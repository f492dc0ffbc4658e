// A small recipe and requests that fit it; tests change one thing at a time.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "wire/match.hpp"
#include "wire/render.hpp"

namespace popvault::wire {

inline const injector::Aliases kAliases{"4242421234567897", "05", "2031", "987"};
inline const std::vector<std::string> kAccounts{"pk_1", "acct_1"};

inline std::string recipe_text(const std::string& request, const std::string& frames = R"(["filled"])") {
  return R"({"name":"sample","version":1,"title":"Sample","source":"none","date":"2026-01-31","mode":"wire","frames":)" + frames +
         R"(,"requests":[)" + request + "]}";
}

inline const std::string kFormRequest = R"({"origins":["https://api.pay.example"],"method":"POST","path":"/v1/tokens/*",
  "query":["lang"],"body":"form",
  "places":{"number":{"path":"card[number]","form":"grouped"},"exp_month":{"path":"card[exp_month]","formats":["MM","M"]},
            "exp_year":{"path":"card[exp_year]","formats":["YY","YYYY"]},"cvc":"card[cvc]","holder":"card[name]"},
  "allow":["guid","meta[*]",{"path":"mode","values":["live"]},{"path":"zip","max":5}],
  "accounts":[{"member":"key"},{"header":"x-account"}]})";

inline const std::string kJsonRequest = R"({"origins":["https://api.pay.example"],"method":"POST","path":"/json","body":"json",
  "places":{"number":"card.number","exp":{"path":"card.exp","formats":["MM/YY","MMYYYY"]},
            "exp_month":{"path":"card.month","formats":["MM","M"],"json":"either"},
            "exp_year":{"path":"card.year","formats":["YYYY"],"json":"integer"},"cvc":"card.cvc","holder":"card.name"},
  "allow":["id","list.*","meta.**",{"path":"count","type":"integer"},{"path":"yes","type":"boolean"}],
  "accounts":[{"header":"authorization","bearer":true,"claim":["merchant","id"]}]})";

inline const std::string kGraphqlRequest = R"({"origins":["https://api.pay.example"],"method":"POST","path":"/graphql",
  "body":"graphql","graphql":{"root":"tokenize","arguments":{"input":"TokenInput!"}},
  "places":{"number":"variables.input.card.number","cvc":"variables.input.card.cvv"},"allow":["variables.input.options.validate"],
  "accounts":[{"header":"authorization","bearer":true}]})";

inline const std::string kMultipartRequest = R"({"origins":["https://api.pay.example"],"method":"POST","path":"/multi",
  "body":"multipart","places":{"number":{"path":"number","form":"grouped"},"cvc":"cvc"},"allow":["guid"],
  "accounts":[{"member":"key"}]})";

inline Recipe recipe_of(const std::string& text) {
  auto recipe = Recipe::parse(text);
  EXPECT_TRUE(recipe) << recipe.error().detail;
  return std::move(*recipe);
}

inline const std::string kFormBody =
    "card[number]=4242+4212+3456+7897&card%5Bexp_month%5D=05&card[exp_year]=31&card[cvc]=987&guid=a%26b&key=pk_1";

// Owns what a Request views.
struct Sample {
  std::string request = kFormRequest, frames = R"(["filled"])";
  std::string method = "POST", url = "https://api.pay.example/v1/tokens/x1";
  std::vector<std::pair<std::string, std::string>> headers{{"Content-Type", "application/x-www-form-urlencoded"},
                                                           {"Accept", "*/*"}};
  std::string body = kFormBody;
  bool whole = true, loopback = false;
  Relation relation = Relation::filled;
  std::string frame_url, holder;
  injector::Aliases aliases = kAliases;
  std::vector<std::string> accounts = kAccounts;

  static Sample json(std::string body = R"({"card":{"number":"4242421234567897","exp":"05/31","cvc":"987"},"id":"x"})") {
    Sample out;
    out.request = kJsonRequest;
    out.url = "https://api.pay.example/json";
    out.headers = {{"content-type", "application/json; charset=UTF-8"}, {"authorization", "Bearer pk_1"}};
    out.body = std::move(body);
    return out;
  }
  static Sample graphql(const std::string& document) {
    Sample out = json(R"({"query":")" + document +
                      R"(","operationName":"T","variables":{"input":{"card":{"number":"4242421234567897","cvv":"987"}}}})");
    out.request = kGraphqlRequest;
    out.url = "https://api.pay.example/graphql";
    return out;
  }

  Match run() const {
    const Recipe recipe = recipe_of(recipe_text(request, frames));
    return run(recipe);
  }
  Match run(const Recipe& recipe) const {
    Request view;
    view.method = method;
    view.url = url;
    for (const auto& [name, value] : headers) view.headers.emplace_back(name, value);
    view.body = body;
    view.body_whole = whole;
    view.relation = relation;
    view.frame_url = frame_url;
    return match(recipe, Expected{aliases, accounts, loopback, holder}, view);
  }
};

inline ByteView bytes(std::string_view text) { return as_bytes(text); }
inline Values real_values() {
  return {bytes("5105105105105100"), bytes("12"), bytes("2029"), bytes("456"), bytes("Jo \"X\" O'Neil & \xc3\xa9")};
}

inline std::string rendered(const Plan& plan, const Values& values = real_values()) {
  std::string out;
  EXPECT_TRUE(fits(plan, values));
  render(plan, values, [&out](std::uint8_t c) { out.push_back(static_cast<char>(c)); });
  EXPECT_EQ(out.size(), rendered_size(plan, values));
  return out;
}

}  // namespace popvault::wire
