// The rebuilt body, byte for byte.
#include "sample.hpp"
#include "wire/body.hpp"

using namespace popvault;
using namespace popvault::wire;

namespace {

std::string body_of(const Sample& sample) {
  const Match match = sample.run();
  return match ? rendered(*match.plan) : std::string(to_string(match.mismatch));
}

TEST(Render, Form) {
  EXPECT_EQ(body_of(Sample()), "card%5Bnumber%5D=5105+1051+0510+5100&card%5Bexp_month%5D=12&card%5Bexp_year%5D=29&"
                               "card%5Bcvc%5D=456&guid=a%26b&key=pk_1");
  Sample sample;
  sample.holder = "CARD HOLDER";
  sample.body = "card[name]=CARD%20HOLDER&card[number]=4242-42123456-7897&card[exp_year]=2031&card[exp_month]=5&key=pk_1";
  EXPECT_EQ(body_of(sample), "card%5Bname%5D=Jo+%22X%22+O%27Neil+%26+%C3%A9&card%5Bnumber%5D=5105-10510510-5100&"
                             "card%5Bexp_year%5D=2029&card%5Bexp_month%5D=12&key=pk_1");
}

TEST(Render, Json) {
  Sample sample = Sample::json(
      " {\"id\":\"\\u00e9\\n\\\"\\ud83d\\ude00\\/\", \"card\":{\"name\":\"CARD HOLDER\",\"number\":\"4242421234567897\",\"exp\":\"05/31\","
      "\"month\":5,\"year\":2031},\"count\":-0,\"list\":[1.50,true,null,1e400],\"meta\":{\"a\":[]}} ");
  sample.holder = "CARD HOLDER";
  EXPECT_EQ(body_of(sample), "{\"id\":\"\xc3\xa9\\u000A\\\"\xf0\x9f\x98\x80/\",\"card\":{\"name\":\"Jo \\\"X\\\" O'Neil & \xc3\xa9\","
                             "\"number\":\"5105105105105100\",\"exp\":\"12/29\",\"month\":12,\"year\":2029},\"count\":-0,"
                             "\"list\":[1.50,true,null,1e400],\"meta\":{\"a\":[]}}");
  sample.body = R"({"card":{"exp":"052031","month":"5","cvc":"987"}})";
  EXPECT_EQ(body_of(sample), R"({"card":{"exp":"122029","month":"12","cvc":"456"}})");
}

TEST(Render, MonthWithoutZero) {
  Sample sample;
  sample.body = "card[number]=4242421234567897&card[exp_month]=5&key=pk_1";
  Values values = real_values();
  values.exp_month = bytes("03");
  EXPECT_EQ(rendered(*sample.run().plan, values), "card%5Bnumber%5D=5105105105105100&card%5Bexp_month%5D=3&key=pk_1");
}

TEST(Render, Graphql) {
  EXPECT_EQ(body_of(Sample::graphql("mutation T($input: TokenInput!) { tokenize(input: $input) { token } }")),
            R"({"query":"mutation T($input: TokenInput!) { tokenize(input: $input) { token } }","operationName":"T",)"
            R"("variables":{"input":{"card":{"number":"5105105105105100","cvv":"456"}}}})");
}

std::string part(const std::string& name, const std::string& value) {
  return "--AaB-x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}

Sample multipart(const std::string& body) {
  Sample out;
  out.request = kMultipartRequest;
  out.url = "https://api.pay.example/multi";
  out.headers = {{"content-type", "multipart/form-data; boundary=AaB-x"}};
  out.body = body;
  return out;
}

TEST(Render, Multipart) {
  const std::string end = "--AaB-x--\r\n", guid = part("guid", "a\r\nb--AaB"), key = part("key", "pk_1");
  EXPECT_EQ(body_of(multipart(part("number", "4242 4212 3456 7897") + guid + part("cvc", "987") + key + end)),
            part("number", "5105 1051 0510 5100") + guid + part("cvc", "456") + key + end);
  const std::string number = part("number", "4242421234567897");
  EXPECT_EQ(body_of(multipart(number + key)), "body_form");
  EXPECT_EQ(body_of(multipart("x" + number + key + end)), "body_form");
  EXPECT_EQ(body_of(multipart(number + key + end + "x")), "body_form");
  EXPECT_EQ(body_of(multipart(number + key + part("guid\"; filename=\"a", "x") + end)), "body_form");
  EXPECT_EQ(body_of(multipart(number + key + part("guid\"\r\nContent-Type: text/plain; x=\"", "x") + end)), "body_form");
  EXPECT_EQ(body_of(multipart(number + number + key + end)), "duplicate_member");
  Sample other = multipart(number + key + end);
  other.headers[0].second = "multipart/form-data";
  EXPECT_EQ(body_of(other), "content_type");
}

TEST(Render, ValuesMustFit) {
  const Match match = Sample().run();
  ASSERT_TRUE(match);
  const auto with = [&](auto change) {
    Values values = real_values();
    change(values);
    return fits(*match.plan, values);
  };
  EXPECT_TRUE(with([](Values&) {}));
  EXPECT_FALSE(with([](Values& v) { v.number = bytes("378282246310005"); }));
  EXPECT_FALSE(with([](Values& v) { v.number = bytes("51051051051051&0"); }));
  EXPECT_FALSE(with([](Values& v) { v.exp_month = bytes("13"); }));
  EXPECT_FALSE(with([](Values& v) { v.exp_month = bytes("3"); }));
  EXPECT_FALSE(with([](Values& v) { v.exp_year = bytes("29"); }));
  EXPECT_FALSE(with([](Values& v) { v.cvc = bytes("1234"); }));
  EXPECT_FALSE(with([](Values& v) { v.cvc = {}; }));
  Sample sample = Sample::json(R"({"card":{"cvc":"987","name":"H"}})");
  sample.holder = "H";
  const Match holder = sample.run();
  Values values = real_values();
  EXPECT_TRUE(fits(*holder.plan, values));
  values.holder = bytes("a\r\nb");
  EXPECT_FALSE(fits(*holder.plan, values));
}

TEST(Render, Base64) {
  std::string all;
  for (int i = 0; i < 300; ++i) {
    std::string out;
    Base64Sink sink([&out](std::uint8_t c) { out.push_back(static_cast<char>(c)); });
    for (const char c : all) sink(static_cast<std::uint8_t>(c));
    sink.finish();
    EXPECT_EQ(out, to_base64(as_bytes(all)));
    EXPECT_EQ(out.size(), base64_size(all.size()));
    all.push_back(static_cast<char>(i * 7));
  }
}

TEST(Body, WrittenAnewIsReadTheSame) {
  for (const char* text : {R"({"a":[1,"x",{"b":null}],"c":{},"d":[]})", R"("\u0000\u001f\\")", "0", "-1.5E+10"}) {
    const Body first = parse_json(text);
    ASSERT_EQ(first.fault, BodyFault::none) << text;
    const auto pieces = write_json(first.root);
    ASSERT_EQ(pieces.size(), 1U);
    const std::string again = std::get<std::string>(pieces[0]);
    EXPECT_EQ(std::get<std::string>(write_json(parse_json(again).root)[0]), again);
  }
}

}  // namespace
