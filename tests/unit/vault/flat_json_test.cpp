// nlohmann's JSON reader and writer are the oracle: it agrees on every document of this shape, and where it
// reads something else, ours refuses.
#include "vault/flat_json.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

namespace popvault {
namespace {

using nlohmann::ordered_json;
using Members = std::vector<std::pair<std::string, std::string>>;

Result<VaultDocument> parse(std::string_view text) {
  return VaultDocument::parse(SecretBytes::copy_of(as_bytes(text)));
}

Members members_of(const VaultDocument& document) {
  Members out;
  for (const std::string& name : document.names())
    out.emplace_back(name, as_text(document.find(name)->reveal(SecretAccess{})));
  return out;
}

std::string serialised(const VaultDocument& document) {
  const SecretBytes text = document.serialise();
  return std::string(as_text(text.reveal(SecretAccess{})));
}

// What nlohmann makes of it, when it is a flat object of strings without duplicates.
std::optional<Members> oracle(const std::string& text) {
  std::map<std::string, int> seen;
  bool duplicate = false;
  const auto watch = [&](int depth, ordered_json::parse_event_t event, ordered_json& value) {
    if (event == ordered_json::parse_event_t::key && depth == 1) duplicate = duplicate || ++seen[value] > 1;
    return true;
  };
  const ordered_json parsed = ordered_json::parse(text, watch, false);
  if (parsed.is_discarded() || !parsed.is_object() || duplicate) return std::nullopt;
  Members out;
  for (const auto& [name, value] : parsed.items()) {
    if (!value.is_string()) return std::nullopt;
    out.emplace_back(name, value.get<std::string>());
  }
  return out;
}

void compare(const std::string& text) {
  const auto ours = parse(text);
  const auto theirs = oracle(text);
  ASSERT_EQ(ours.has_value(), theirs.has_value()) << text;
  if (ours) {
    EXPECT_EQ(members_of(*ours), *theirs) << text;
  } else {
    EXPECT_EQ(ours.error().code, Errc::vault_corrupt);
  }
}

TEST(FlatJson, ReadsTheShape) {
  const auto document = parse(" {\t\"a\" : \"1\" ,\r\n\"b\":\"\"} ");
  ASSERT_TRUE(document);
  EXPECT_EQ(members_of(*document), (Members{{"a", "1"}, {"b", ""}}));
  EXPECT_TRUE(parse("{}"));
  EXPECT_TRUE(parse(" { } "));
}

TEST(FlatJson, DecodesEscapes) {
  const auto document = parse(R"({"\u0061\n":"\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\udd11\u0000"})");
  ASSERT_TRUE(document);
  EXPECT_EQ(members_of(*document),
            (Members{{"a\n", std::string("\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91\0", 18)}}));
}

TEST(FlatJson, RefusesAnythingElse) {
  const std::string cases[] = {
      "",
      " ",
      "null",
      "[]",
      "[\"4242\"]",
      "\"a\"",
      "1",
      "{",
      "}",
      "{\"a\"}",
      "{\"a\":}",
      "{\"a\":1}",
      "{\"a\":null}",
      "{\"a\":true}",
      "{\"a\":{}}",
      "{\"a\":[]}",
      "{\"a\":\"1\",}",
      "{,}",
      "{\"a\":\"1\" \"b\":\"2\"}",
      "{a:\"1\"}",
      "{'a':'1'}",
      "{\"a\":\"1\"}x",
      "{\"a\":\"1\"}{}",
      "{\"a\":\"1\",\"a\":\"2\"}",
      "{\"a\":\"1\",\"\\u0061\":\"2\"}",
      "{\"a\":\"\\x\"}",
      "{\"a\":\"\\u12\"}",
      "{\"a\":\"\\u12g4\"}",
      "{\"a\":\"\\ud83d\"}",
      "{\"a\":\"\\udd11\"}",
      "{\"a\":\"\\ud83dx\"}",
      "{\"a\":\"\\ud83d\\u0041\"}",
      "{\"a\":\"\\",
      "{\"a\":\"\\\"}",
      "{\"a\":\"\n\"}",
      "{\"a\":\"\xff\"}",
      "{\"a\":\"\xc0\x80\"}",
      "{\"a\":\"\xed\xa0\x80\"}",
      "{\"\xff\":\"\"}",
      "\xef\xbb\xbf{}",
      "{\"a\":\"1\"//\n}",
      std::string("{}\0", 3),
      std::string("\0{}", 3),
      "{\"a\":\"\xf4\x90\x80\x80\"}",
  };
  for (const std::string& text : cases) {
    const auto document = parse(text);
    ASSERT_FALSE(document) << text;
    EXPECT_EQ(document.error().code, Errc::vault_corrupt);
    EXPECT_EQ(document.error().detail.find("4242"), std::string::npos);
    if (!text.starts_with("\xef\xbb\xbf") && text.find('\0') == std::string::npos) compare(text);
  }
}

TEST(FlatJson, RefusesTooManyMembers) {
  std::string text = "{";
  for (std::size_t i = 0; i <= kMaxMembers; ++i)
    text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  EXPECT_FALSE(parse(text + "}"));
}

TEST(FlatJson, EveryTruncationIsRefused) {
  const std::string whole = R"({"a":"x\u00e9\ud83d\udd11y","b":"2"})";
  ASSERT_TRUE(parse(whole));
  for (std::size_t n = 0; n < whole.size(); ++n)
    EXPECT_FALSE(parse(std::string_view(whole).substr(0, n))) << n;
}

TEST(FlatJson, SetReplacesInPlaceAndEraseRemoves) {
  VaultDocument document;
  document.set_text("a", "1");
  document.set_text("b", "2");
  document.set_text("a", "3");
  EXPECT_EQ(serialised(document), R"({"a":"3","b":"2"})");
  document.erase("a");
  document.erase("absent");
  EXPECT_EQ(serialised(document), R"({"b":"2"})");
  EXPECT_TRUE(document.clone() == document);
}

// Documents that tend to be nearly right.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string text() {
    std::string out = space() + "{" + space();
    const int count = pick(5);
    for (int i = 0; i < count; ++i) {
      if (i > 0) out += "," + space();
      out += string() + space() + ":" + space() + string() + space();
    }
    out += "}" + space();
    if (pick(3) == 0) mutate(out);
    return out;
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string space() {
    static const char* const kSpaces[] = {"", "", "", " ", "\n", "\t ", "\r\n"};
    return kSpaces[pick(7)];
  }
  std::string string() {
    static const char* const kPieces[] = {"a",
                                          "b",
                                          "\\n",
                                          "\\\"",
                                          "\\\\",
                                          "\\/",
                                          "\\u0041",
                                          "\\u00E9",
                                          "\\u20ac",
                                          "\\ud83d\\udd11",
                                          "\xc3\xa9",
                                          "\xe2\x82\xac",
                                          "\xf0\x9f\x94\x91",
                                          "4242",
                                          " ",
                                          "{",
                                          "}",
                                          ":",
                                          ",",
                                          "[",
                                          "\\b",
                                          "\\u0000"};
    std::string out = "\"";
    for (int i = pick(4); i > 0; --i) out += kPieces[pick(22)];
    return out + '"';
  }
  void mutate(std::string& text) {
    const std::size_t at = random_() % text.size();
    switch (pick(4)) {
      case 0: text.erase(at, 1); break;
      case 1: text[at] = "\"\\{}[]:,u0a \xc3\xff\n"[random_() % 15]; break;
      case 2: text.insert(at, 1, text[random_() % text.size()]); break;
      default: text.resize(at); break;
    }
  }

  std::mt19937 random_;
};

TEST(FlatJson, AgreesWithTheOracleOnGeneratedDocuments) {
  Generator generator(20260727);
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string text = generator.text();
    compare(text);
    ++(parse(text) ? accepted : refused);
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(accepted, 10'000U);
  EXPECT_GT(refused, 5'000U);
}

TEST(FlatJson, WritesWhatTheOracleWrites) {
  Generator generator(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = generator.text();
    const auto document = parse(text);
    if (!document) continue;
    const std::string written = serialised(*document);
    EXPECT_EQ(written, ordered_json::parse(text).dump()) << text;
    EXPECT_TRUE(parse(written).value() == *document) << text;
  }
}

}  // namespace
}  // namespace popvault
