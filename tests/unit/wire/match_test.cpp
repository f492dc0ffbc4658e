// Each condition for a substitution: a request that fits, and one thing changed.
#include <functional>
#include <set>

#include "sample.hpp"

using namespace popvault;
using namespace popvault::wire;

namespace {

std::string outcome(const Sample& sample) {
  const Match match = sample.run();
  return match ? "ok" : std::string(to_string(match.mismatch));
}

struct Case {
  const char* name;
  Mismatch wanted;
  std::function<void(Sample&)> change;
};

std::function<void(Sample&)> url(std::string text) {
  return [text](Sample& s) { s.url = text; };
}
std::function<void(Sample&)> body(std::string text) {
  return [text](Sample& s) { s.body = text; };
}
std::function<void(Sample&)> more(std::string text) {
  return [text](Sample& s) { s.body += text; };
}
std::function<void(Sample&)> type(std::string text) {
  return [text](Sample& s) { s.headers[0].second = text; };
}
std::function<void(Sample&)> header(std::string name, std::string value) {
  return [name, value](Sample& s) { s.headers.emplace_back(name, value); };
}
std::function<void(Sample&)> number(std::string text) {
  return [text](Sample& s) { s.body.replace(13, 19, text); };
}

const std::string kPlain = "4242421234567897";

const Case kCases[] = {
    {"other frame", Mismatch::frame, [](Sample& s) { s.relation = Relation::other; }},
    {"child frame", Mismatch::frame, [](Sample& s) { s.relation = Relation::child; }},
    {"GET", Mismatch::method, [](Sample& s) { s.method = "GET"; }},
    {"small method", Mismatch::method, [](Sample& s) { s.method = "post"; }},
    {"userinfo", Mismatch::url_form, url("https://a@api.pay.example/v1/tokens/x1")},
    {"user and password", Mismatch::url_form, url("https://api.pay.example:x@evil.example/v1/tokens/x1")},
    {"fragment", Mismatch::url_form, url("https://api.pay.example/v1/tokens/x1#a")},
    {"trailing dot", Mismatch::url_form, url("https://api.pay.example./v1/tokens/x1")},
    {"default port", Mismatch::url_form, url("https://api.pay.example:443/v1/tokens/x1")},
    {"large letters", Mismatch::url_form, url("https://API.pay.example/v1/tokens/x1")},
    {"needless escape", Mismatch::url_form, url("https://api.pay.example/v1/%74okens/x1")},
    {"small escape", Mismatch::url_form, url("https://api.pay.example/v1/tokens/%c3")},
    {"broken escape", Mismatch::url_form, url("https://api.pay.example/v1/tokens/%C")},
    {"escaped slash", Mismatch::url_form, url("https://api.pay.example/v1/tokens/a%2Fb")},
    {"dot segments", Mismatch::url_form, url("https://api.pay.example/v1/x/../tokens/x1")},
    {"backslash", Mismatch::url_form, url("https://api.pay.example\\@evil.example/v1/tokens/x1")},
    {"homoglyph", Mismatch::url_form, url("https://api.p\xd0\xb0y.example/v1/tokens/x1")},
    {"no path", Mismatch::url_form, url("https://api.pay.example")},
    {"http", Mismatch::url_scheme, url("http://api.pay.example/v1/tokens/x1")},
    {"loopback not allowed", Mismatch::url_scheme, url("http://127.0.0.1:8000/v1/tokens/x1")},
    {"loopback that is not listed", Mismatch::url_origin,
     [](Sample& s) { s.url = "http://127.0.0.1:8000/v1/tokens/x1", s.loopback = true; }},
    {"other host", Mismatch::url_origin, url("https://api.pay.example.evil.example/v1/tokens/x1")},
    {"other port", Mismatch::url_origin, url("https://api.pay.example:8443/v1/tokens/x1")},
    {"other path", Mismatch::url_path, url("https://api.pay.example/v1/charges/x1")},
    {"a segment more", Mismatch::url_path, url("https://api.pay.example/v1/tokens/x1/y")},
    {"an empty segment", Mismatch::url_path, url("https://api.pay.example/v1/tokens/")},
    {"query member", Mismatch::url_query, url("https://api.pay.example/v1/tokens/x1?to=me")},
    {"query member twice", Mismatch::url_query, url("https://api.pay.example/v1/tokens/x1?lang=a&lang=b")},
    {"alias in the query", Mismatch::alias_in_url, url("https://api.pay.example/v1/tokens/x1?lang=" + kPlain)},
    {"alias in the path", Mismatch::alias_in_url, url("https://api.pay.example/v1/tokens/4242-4212-3456-7897")},
    {"type twice", Mismatch::header_form, header("content-type", "application/x-www-form-urlencoded")},
    {"method override", Mismatch::header_form, header("X-HTTP-Method-Override", "PUT")},
    {"account twice", Mismatch::header_form,
     [](Sample& s) { s.headers.insert(s.headers.end(), {{"x-account", "pk_1"}, {"X-Account", "pk_1"}}); }},
    {"alias in a header", Mismatch::alias_in_header, header("x-note", "NDI0MjQyMTIzNDU2Nzg5Nw")},
    {"alias as a header's name", Mismatch::alias_in_header, header("x-" + kPlain, "1")},
    {"gzip", Mismatch::content_encoding, header("Content-Encoding", "gzip")},
    {"identity", Mismatch::content_encoding, header("content-encoding", "identity")},
    {"no type", Mismatch::content_type, [](Sample& s) { s.headers.erase(s.headers.begin()); }},
    {"other type", Mismatch::content_type, type("text/plain")},
    {"unknown parameter", Mismatch::content_type, type("application/x-www-form-urlencoded; boundary=a")},
    {"charset twice", Mismatch::content_type, type("application/x-www-form-urlencoded; charset=utf-8; charset=utf-7")},
    {"UTF-16", Mismatch::charset, type("application/x-www-form-urlencoded; charset=utf-16")},
    {"ISO 8859-1", Mismatch::charset, type("application/x-www-form-urlencoded;charset=iso-8859-1")},
    {"not the whole body", Mismatch::body_incomplete, [](Sample& s) { s.whole = false; }},
    {"a long body", Mismatch::body_too_large, more("&guid=" + std::string(kMaxBody, 'a'))},
    {"empty body", Mismatch::body_form, body("")},
    {"broken escape in the body", Mismatch::body_form, more("&guid2=%4")},
    {"no equals sign", Mismatch::body_form, more("&x")},
    {"empty pair", Mismatch::body_form, more("&")},
    {"raw byte", Mismatch::body_form, more("&meta[a]=\xc3\xa9")},
    {"not UTF-8", Mismatch::body_form, more("&meta[a]=%C3")},
    {"UTF-16 body", Mismatch::body_form, body(std::string("k\0e\0y\0=\0a\0", 10))},
    {"name twice", Mismatch::duplicate_member, more("&guid=b")},
    {"number twice", Mismatch::duplicate_member, more("&card%5bnumber%5d=4242421234567897")},
    {"key twice", Mismatch::duplicate_member, more("&key=pk_2")},
    {"unlisted", Mismatch::unlisted_member, more("&return_url=x")},
    {"another spelling of a place", Mismatch::unlisted_member, more("&card[number][]=x")},
    {"value that is not fixed", Mismatch::value_not_allowed, more("&mode=test")},
    {"too long a value", Mismatch::value_not_allowed, more("&zip=123456")},
    {"too long by default", Mismatch::value_not_allowed, more("&meta[a]=" + std::string(257, 'a'))},
    {"nothing of the card", Mismatch::no_place, body("guid=a&key=pk_1")},
    {"expiry without anything else", Mismatch::exp_value, body("card[exp_month]=06&key=pk_1")},
    {"another number", Mismatch::number_value, number("4111111111111111")},
    {"the alias with a prefix", Mismatch::number_value, number("x4242421234567897")},
    {"the alias and more", Mismatch::number_value, number("42424212345678970")},
    {"less than the alias", Mismatch::number_value, number("424242123456789")},
    {"two spaces", Mismatch::number_value, number("4242++421234567897")},
    {"a space in front", Mismatch::number_value, number("+4242421234567897")},
    {"a space behind", Mismatch::number_value, number("4242421234567897+")},
    {"mixed separators", Mismatch::number_value, number("4242+4212-3456+7897")},
    {"other separator", Mismatch::number_value, number("4242.4212.3456.7897")},
    {"masked", Mismatch::number_value, number("************7897")},
    {"other month", Mismatch::exp_value, [](Sample& s) { s.body.replace(s.body.find("=05"), 3, "=06"); }},
    {"three digits of a month", Mismatch::exp_value, [](Sample& s) { s.body.replace(s.body.find("=05"), 3, "=005"); }},
    {"other year", Mismatch::exp_value, [](Sample& s) { s.body.replace(s.body.find("=31"), 3, "=32"); }},
    {"other code", Mismatch::cvc_value, [](Sample& s) { s.body.replace(s.body.find("=987"), 4, "=986"); }},
    {"empty code", Mismatch::cvc_value, [](Sample& s) { s.body.replace(s.body.find("=987"), 4, "="); }},
    {"alias in metadata", Mismatch::alias_elsewhere, more("&meta[a]=" + kPlain)},
    {"alias as a name", Mismatch::alias_elsewhere, more("&meta[" + kPlain + "]=a")},
    {"alias with spaces", Mismatch::alias_elsewhere, more("&meta[a]=4242+4212+3456+7897")},
    {"alias with dashes", Mismatch::alias_elsewhere, more("&meta[a]=4242-4212-3456-7897")},
    {"alias percent-encoded", Mismatch::alias_elsewhere, more("&meta[a]=%34242421234567897")},
    {"alias percent-encoded twice", Mismatch::alias_elsewhere, more("&meta[a]=%25342424212345678%2539%2537")},
    {"alias in base64", Mismatch::alias_elsewhere, more("&meta[a]=NDI0MjQyMTIzNDU2Nzg5Nw%3D%3D")},
    {"alias in base64url in JSON", Mismatch::alias_elsewhere, more("&meta[a]=eyJuIjoiNDI0MjQyMTIzNDU2Nzg5NyJ9")},
    {"alias in hex", Mismatch::alias_elsewhere, more("&meta[a]=34323432343231323334353637383937")},
    {"alias in JSON escapes", Mismatch::alias_elsewhere, more("&meta[a]=\\u00342424212345678\\u0039\\u0037")},
    {"alias in UTF-16", Mismatch::alias_elsewhere, more("&meta[a]=4%002%004%002%004%002%001%002%003%004%005%006%007%008%009%007%00")},
    {"alias reversed", Mismatch::alias_elsewhere, more("&meta[a]=7987654321242424")},
    {"no account", Mismatch::account_missing, [](Sample& s) { s.body.resize(s.body.find("&key")); }},
    {"other account", Mismatch::account_mismatch, [](Sample& s) { s.body.replace(s.body.find("pk_1"), 4, "pk_2"); }},
    {"empty account", Mismatch::account_mismatch, [](Sample& s) { s.body.replace(s.body.find("pk_1"), 4, ""); }},
    {"nothing pinned", Mismatch::account_mismatch, [](Sample& s) { s.accounts.clear(); }},
    {"second account not pinned", Mismatch::account_mismatch, header("X-Account", "acct_2")},
};

TEST(Match, TheHonestRequestFits) {
  const Match match = Sample().run();
  ASSERT_TRUE(match) << to_string(match.mismatch);
  EXPECT_TRUE(match.carries_alias);
  EXPECT_EQ(match.plan->account, "pk_1");
  EXPECT_TRUE(match.plan->holds(Place::number) && match.plan->holds(Place::cvc) && match.plan->holds(Place::exp_year));
  EXPECT_FALSE(match.plan->holds(Place::exp));
}

TEST(Match, EachConditionAlone) {
  for (const Case& c : kCases) {
    Sample sample;
    c.change(sample);
    EXPECT_EQ(outcome(sample), to_string(c.wanted)) << c.name;
  }
}

TEST(Match, EachMismatchHasItsCase) {
  std::set<Mismatch> seen{Mismatch::mode, Mismatch::graphql_document};  // below
  for (const Case& c : kCases) seen.insert(c.wanted);
  EXPECT_EQ(seen.size(), kMismatchCount);
}

TEST(Match, OnlyTheLastTwoAreOfTheAccount) {
  for (std::size_t i = 0; i < kMismatchCount; ++i) {
    const auto mismatch = static_cast<Mismatch>(i);
    const bool account = mismatch == Mismatch::account_missing || mismatch == Mismatch::account_mismatch;
    EXPECT_EQ(to_outcome(mismatch), account ? injector::Outcome::account_mismatch : injector::Outcome::recipe_mismatch);
  }
}

TEST(Match, SealedRecipesSubstituteNothing) {
  const Recipe recipe = recipe_of(R"({"name":"s","version":1,"title":"S","source":"none","date":"2026-01-31","mode":"sealed",
    "documents":["https://api.pay.example"]})");
  EXPECT_EQ(Sample().run(recipe).mismatch, Mismatch::mode);
}

TEST(Match, HarmlessDifferencesFit) {
  Sample sample;
  sample.url += "?lang=en";
  sample.headers[0].second = "Application/X-WWW-Form-Urlencoded; charset=\"UTF-8\"";
  sample.body = "key=pk_1&card%5Bnumber%5D=4242-4212-3456-7897&card[exp_month]=5&card[exp_year]=2031";
  EXPECT_EQ(outcome(sample), "ok");
  sample.body = "key=pk_1&card[cvc]=987";  // the code alone
  EXPECT_EQ(outcome(sample), "ok");
}

TEST(Match, NamedFrames) {
  Sample sample;
  sample.frames = R"([{"relation":"sibling","urls":["https://js.pay.example/v3/controller-*.html"]}])";
  sample.relation = Relation::sibling;
  sample.frame_url = "https://js.pay.example/v3/controller-1a.html?x=1#frame";
  EXPECT_EQ(outcome(sample), "ok");
  for (const char* other : {"https://js.pay.example/v3/controller-.html", "https://js.pay.example/v3/a/controller-1.html",
                            "https://js.evil.example/v3/controller-1a.html", "http://js.pay.example/v3/controller-1a.html", ""}) {
    sample.frame_url = other;
    EXPECT_EQ(outcome(sample), "frame") << other;
  }
  sample.frame_url = "https://js.pay.example/v3/controller-1a.html";
  for (const Relation relation : {Relation::filled, Relation::child, Relation::parent, Relation::other}) {
    sample.relation = relation;
    EXPECT_EQ(outcome(sample), "frame");
  }
}

TEST(Match, LoopbackWhereAllowed) {
  Sample sample;
  const std::string at = "https://api.pay.example";
  sample.request.replace(sample.request.find(at), at.size(), "http://pay.localhost:8000");
  sample.url = "http://pay.localhost:8000/v1/tokens/x1";
  EXPECT_EQ(outcome(sample), "url_scheme");
  sample.loopback = true;
  EXPECT_EQ(outcome(sample), "ok");
}

TEST(Match, CardsWithoutCode) {
  Sample sample;
  sample.aliases.cvc.clear();
  EXPECT_EQ(outcome(sample), "cvc_value");
  sample.body.replace(sample.body.find("=987"), 4, "=");
  EXPECT_EQ(outcome(sample), "ok");
}

TEST(Match, GraphqlDocuments) {
  const std::string good = "mutation T($input: TokenInput!) { tokenize(input: $input) { token card { last4 } } }";
  EXPECT_EQ(outcome(Sample::graphql(good)), "ok");
  EXPECT_EQ(outcome(Sample::graphql("mutation($a:TokenInput!){x:tokenize(input:$a){token}}")), "ok");
  for (const std::string& document : {
           std::string(""), std::string("{ tokenize }"),
           std::string("query T($input: TokenInput!) { tokenize(input: $input) { token } }"),
           std::string("mutation T($input: OtherInput!) { tokenize(input: $input) { token } }"),
           std::string("mutation T($input: TokenInput!) { store(input: $input) { token } }"),
           std::string("mutation T($input: TokenInput!) { tokenize(other: $input) { token } }"),
           std::string("mutation T($input: TokenInput!) { tokenize(input: {a: $input}) { token } }"),
           std::string("mutation T($input: TokenInput!) { tokenize(input: $input) { token(x: $input) } }"),
           std::string("mutation T($input: TokenInput!) { tokenize(input: $input) { token } store(input: $input) { id } }"),
           std::string("mutation T($input: TokenInput!, $b: TokenInput!) { tokenize(input: $input) { token } }"),
           std::string("mutation T($input: TokenInput!) { tokenize(input: $input) @x { token } }"),
           std::string("mutation T($input: TokenInput!) { tokenize(input: $input) { token } } mutation U { a }"),
           std::string("mutation T($input: TokenInput!) { tokenize(input: $input) { token } } #"),
           std::string("mutation T($input: TokenInput! = {}) { tokenize(input: $input) { token } }"),
           std::string("mutation T($input: TokenInput!) { tokenize(input: $input) { token }"),
       })
    EXPECT_EQ(outcome(Sample::graphql(document)), "graphql_document") << document;
}

TEST(Match, JsonIsReadStrictly) {
  EXPECT_EQ(outcome(Sample::json()), "ok");
  const auto with = [](const std::string& member) {
    return outcome(Sample::json(R"({"card":{"number":"4242421234567897"},)" + member + "}"));
  };
  EXPECT_EQ(with(R"("id":1)"), "ok");
  EXPECT_EQ(with(R"("meta":{"a":[1,{"b":null}],"c":{}})"), "ok");
  EXPECT_EQ(with(R"("list":["a","b"])"), "ok");
  EXPECT_EQ(with(R"("id":"a","id":"b")"), "duplicate_member");
  EXPECT_EQ(with(R"("id":"a","\u0069d":"b")"), "duplicate_member");
  EXPECT_EQ(with(R"("card.number":"x")"), "unlisted_member");
  EXPECT_EQ(with(R"("other":{})"), "unlisted_member");
  EXPECT_EQ(with(R"("id":{"a":1})"), "unlisted_member");
  EXPECT_EQ(with(R"("count":1.5)"), "value_not_allowed");
  EXPECT_EQ(with(R"("count":"1")"), "value_not_allowed");
  EXPECT_EQ(with(R"("yes":1)"), "value_not_allowed");
  for (const char* bad : {R"("id":01)", R"("id":+1)", R"("id":.5)", R"("id":"\ud800")", R"("id":"\x41")", R"("id":NaN)",
                          R"('id':1)", "\"id\":\"a\nb\"", R"("id":1,)", R"("id":1} {)", R"(/**/"id":1)", "\"id\":\"\xff\""})
    EXPECT_EQ(with(bad), "body_form") << bad;
  EXPECT_EQ(outcome(Sample::json("\xef\xbb\xbf{}")), "body_form");
  EXPECT_EQ(outcome(Sample::json("[]")), "body_form");
  EXPECT_EQ(outcome(Sample::json(R"({"card":{"number":4242421234567897}})")), "number_value");
  EXPECT_EQ(outcome(Sample::json(R"({"card":{"number":["4242421234567897"]}})")), "unlisted_member");
  EXPECT_EQ(outcome(Sample::json(R"({"card":{"number":"4242 4212 3456 7897"}})")), "number_value");
  EXPECT_EQ(outcome(Sample::json(R"({"card":{"cvc":987}})")), "cvc_value");
  EXPECT_EQ(outcome(Sample::json(R"({"card":{"cvc":"987","name":1}})")), "value_not_allowed");
  EXPECT_EQ(outcome(Sample::json(std::string(20, '[') + std::string(20, ']'))), "body_form");
}

TEST(Match, ClaimsOfTokens) {
  // {"merchant":{"id":"acct_1"}} and {"merchant":{"id":"acct_2"}}
  Sample sample = Sample::json();
  sample.headers[1].second = "Bearer eyJhIjoxfQ.eyJtZXJjaGFudCI6eyJpZCI6ImFjY3RfMSJ9fQ.c2ln";
  const Match match = sample.run();
  ASSERT_TRUE(match) << to_string(match.mismatch);
  EXPECT_EQ(match.plan->account, "acct_1");
  for (const char* other : {"Bearer eyJhIjoxfQ.eyJtZXJjaGFudCI6eyJpZCI6ImFjY3RfMiJ9fQ.c2ln", "Bearer a.b.c", "Bearer", "Basic pk_1",
                            "Bearer eyJhIjoxfQ.e30.c2ln", "bearer pk_1", "Bearer pk_1, pk_2"}) {
    sample.headers[1].second = other;
    EXPECT_EQ(outcome(sample), "account_mismatch") << other;
  }
}

TEST(Match, AnotherCallOfThePage) {
  Sample sample;
  sample.body = "guid=a&key=pk_1";
  EXPECT_FALSE(sample.run().carries_alias);
  sample.body = "anything=NDI0MjQyMTIzNDU2Nzg5Nw";
  EXPECT_TRUE(sample.run().carries_alias);
  const Recipe recipe = recipe_of(recipe_text(kFormRequest));
  EXPECT_TRUE(concerns(recipe, "POST", "https://api.pay.example/v1/tokens/x"));
  EXPECT_TRUE(concerns(recipe, "GET", "https://api.pay.example/v1/tokens/x?a#b"));
  EXPECT_FALSE(concerns(recipe, "OPTIONS", "https://api.pay.example/v1/tokens/x"));
  EXPECT_FALSE(concerns(recipe, "POST", "https://api.pay.example/v1/other"));
}

}  // namespace
