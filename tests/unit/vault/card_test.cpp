// Card numbers are the test numbers that the networks and processors publish; none is a real account.
#include "vault/card.hpp"

#include <gtest/gtest.h>

#include <map>

#include "vault/masked_view.hpp"

namespace popvault {
namespace {

using Values = std::map<std::string, std::string>;

SecretFields fields(const Values& values) {
  SecretFields out;
  for (const auto& [name, value] : values) EXPECT_TRUE(out.set(name, as_bytes(value)));
  return out;
}

std::string value(const SecretFields& card, std::string_view name) {
  const auto found = card.find(name, SecretAccess{});
  return found ? std::string(as_text(*found)) : "(none)";
}

Values good() { return {{"number", "4242424242424242"}, {"exp_month", "12"}, {"exp_year", "2027"}}; }

// "" when accepted, else the error's detail.
std::string refusal(Values values) {
  SecretFields card = fields(values);
  const Status status = normalise_card(card);
  if (status) return "";
  EXPECT_EQ(status.error().code, Errc::invalid_field);
  return status.error().detail;
}

std::string with(const std::string& name, const std::string& text) {
  Values values = good();
  values[name] = text;
  return refusal(values);
}

TEST(Card, IsNormalised) {
  SecretFields card = fields({{"number", " 4242 4242-4242 4242 "},
                              {"exp_month", "3"},
                              {"exp_year", "27"},
                              {"cvv", " 123 "},
                              {"holder", "  Ada L\xc3\xb6w "}});
  ASSERT_TRUE(normalise_card(card));
  EXPECT_EQ(value(card, "number"), "4242424242424242");
  EXPECT_EQ(value(card, "exp_month"), "03");
  EXPECT_EQ(value(card, "exp_year"), "2027");
  EXPECT_EQ(value(card, "cvv"), "123");
  EXPECT_EQ(value(card, "holder"), "Ada L\xc3\xb6w");
}

TEST(Card, EmptyOptionalValuesAreDropped) {
  Values values = good();
  values["cvv"] = values["holder"] = " ";
  SecretFields card = fields(values);
  ASSERT_TRUE(normalise_card(card));
  EXPECT_FALSE(card.has("cvv"));
  EXPECT_FALSE(card.has("holder"));
}

TEST(Card, WrongFieldsAreNamedWithoutTheirValue) {
  const std::pair<const char*, const char*> cases[] = {
      {"number", ""},
      {"number", "4242424242424241"},
      {"number", "42424242424"},
      {"number", "4242x24242424242"},
      {"number", "42424242424242424242"},
      {"number", "4242.4242.4242.4242"},
      {"number", "00000000000"},
      {"number",
       "\xef\xbc\x94"
       "242424242424242"},
      {"number", "40000000000002"},
      {"number", "371449635398430"},
      {"exp_month", ""},
      {"exp_month", "0"},
      {"exp_month", "00"},
      {"exp_month", "13"},
      {"exp_month", "1x"},
      {"exp_month", "012"},
      {"exp_month", "-1"},
      {"exp_year", ""},
      {"exp_year", "7"},
      {"exp_year", "027"},
      {"exp_year", "1999"},
      {"exp_year", "3027"},
      {"exp_year", "2x27"},
      {"exp_year", "20270"},
      {"cvv", "12"},
      {"cvv", "1234"},
      {"cvv", "12345"},
      {"cvv", "12a"},
      {"holder", "a\nb"},
      {"holder", "a\x7f"},
      {"holder", "\xff"},
      {"holder", "\xc2\x85x"},
  };
  for (const auto& [name, text] : cases) EXPECT_EQ(with(name, text), name) << name << '=' << text;
  EXPECT_EQ(with("holder", std::string(101, 'a')), "holder");
  EXPECT_EQ(with("pin", "1234"), "pin is not a field of a card");
  EXPECT_EQ(refusal({}), "number");
}

TEST(Card, CvvLengthFollowsTheBrand) {
  const Values amex = {{"number", "378282246310005"}, {"exp_month", "1"}, {"exp_year", "30"}};
  const auto amex_cvv = [&](const char* cvv) {
    Values values = amex;
    values["cvv"] = cvv;
    return refusal(values);
  };
  EXPECT_EQ(amex_cvv("1234"), "");
  EXPECT_EQ(amex_cvv("123"), "cvv");
  EXPECT_EQ(with("cvv", "123"), "");
}

struct BrandCase {
  const char* number;
  const char* brand;
  const char* masked;
};
constexpr BrandCase kBrands[] = {
    {"4242424242424242", "visa", "****-****-****-4242"},
    {"4222222222222", "visa", "****-****-*-2222"},
    {"5555555555554444", "mastercard", "****-****-****-4444"},
    {"2223003122003222", "mastercard", "****-****-****-3222"},
    {"378282246310005", "amex", "****-******-*0005"},
    {"6011111111111117", "discover", "****-****-****-1117"},
    {"30569309025904", "diners", "****-******-5904"},
    {"36227206271667", "diners", "****-******-1667"},
    {"3566002020360505", "jcb", "****-****-****-0505"},
    {"6200000000000005", "unionpay", "****-****-****-0005"},
    {"6759649826438453", "maestro", "****-****-****-8453"},
    {"6205500000000000004", "unionpay", "****-****-****-***-0004"},
    {"9999999999999995", "card", "****-****-****-9995"},
};

TEST(Card, BrandAndMask) {
  for (const BrandCase& c : kBrands) {
    EXPECT_EQ(card_brand(as_bytes(c.number)), c.brand) << c.number;
    SecretFields card = fields({{"number", c.number}, {"exp_month", "12"}, {"exp_year", "2027"}});
    ASSERT_TRUE(normalise_card(card)) << c.number;
    const SecretFields view = view_of_card("L", card).value();
    const MaskedView masked = masked_view("rec_1", "card", "tok_card_x", view, 0);
    EXPECT_EQ(masked.masked, c.masked) << c.number;
    EXPECT_EQ(masked.brand, c.brand);
    EXPECT_EQ(masked.last4, std::string_view(c.number).substr(std::string_view(c.number).size() - 4));
  }
}

TEST(Card, MastercardsTwoSeriesHasExactEnds) {
  EXPECT_EQ(card_brand(as_bytes("2220999999999999")), "card");
  EXPECT_EQ(card_brand(as_bytes("2221000000000000")), "mastercard");
  EXPECT_EQ(card_brand(as_bytes("2720999999999999")), "mastercard");
  EXPECT_EQ(card_brand(as_bytes("2721000000000000")), "card");
  EXPECT_EQ(card_brand(as_bytes("")), "card");
}

TEST(MaskedView, NothingMoreThanTheViewLeaves) {
  SecretFields card = fields({{"number", "4111111111117654"},
                              {"exp_month", "03"},
                              {"exp_year", "2031"},
                              {"cvv", "987"},
                              {"holder", "Ada Secret"}});
  const SecretFields view = view_of_card(" My card ", card).value();
  const MaskedView out = masked_view("rec_1", "card", "tok_card_x", view, 0);
  const std::string all = out.id + '|' + out.kind + '|' + out.alias + '|' + out.label + '|' + out.brand +
                          '|' + out.last4 + '|' + out.masked;
  EXPECT_EQ(all, "rec_1|card|tok_card_x|My card|visa|7654|****-****-****-7654");
  EXPECT_FALSE(view.has("number") || view.has("cvv") || view.has("holder") || view.has("exp_year"));
}

TEST(MaskedView, ExpiresAfterTheLastSecondOfTheMonth) {
  SecretFields card = fields(good());
  const SecretFields view = view_of_card("L", card).value();
  const Seconds new_year_2028 = 1830297600;  // 2028-01-01T00:00:00Z
  EXPECT_FALSE(masked_view("", "card", "", view, new_year_2028 - 1).expired);
  EXPECT_TRUE(masked_view("", "card", "", view, new_year_2028).expired);
}

TEST(MaskedView, IsSealedToItsRecordAndVersion) {
  const SecretBytes key = SecretBytes::copy_of(Bytes(32, 7));
  SecretFields card = fields(good());
  const SecretFields view = view_of_card("L", card).value();
  const Bytes sealed = seal_view(key, "rec_1", 3, view).value();
  const MaskedView opened = open_view(key, "rec_1", "card", "tok_card_x", 3, sealed, 0).value();
  EXPECT_EQ(opened, masked_view("rec_1", "card", "tok_card_x", view, 0));
  EXPECT_EQ(open_view(key, "rec_2", "card", "", 3, sealed, 0).error().code, Errc::state_corrupt);
  EXPECT_EQ(open_view(key, "rec_1", "card", "", 4, sealed, 0).error().code, Errc::state_corrupt);
  EXPECT_EQ(open_view(key, "rec_1", "card", "", 3, ByteView(sealed).first(20), 0).error().code,
            Errc::state_corrupt);
  const SecretBytes other = SecretBytes::copy_of(Bytes(32, 8));
  EXPECT_EQ(open_view(other, "rec_1", "card", "", 3, sealed, 0).error().code, Errc::state_corrupt);
}

TEST(MaskedView, OtherKindsHaveALabelOnly) {
  const SecretFields view = view_of_other("api").value();
  const MaskedView out = masked_view("rec_1", "api_key", "tok_api_key_x", view, 4102444800);
  EXPECT_EQ(out.label, "api");
  EXPECT_EQ(out.brand + out.last4 + out.masked, "");
  EXPECT_FALSE(out.expired);
}

TEST(MaskedView, LabelsAreChecked) {
  EXPECT_EQ(checked_label(" My card ").value(), "My card");
  for (const std::string& label : {std::string(), std::string("  "), std::string("a\nb"), std::string("\xff"),
                                   std::string(101, 'a'), std::string("\x1b[31m")}) {
    EXPECT_EQ(checked_label(label).error().code, Errc::invalid_field);
  }
}

}  // namespace
}  // namespace popvault
