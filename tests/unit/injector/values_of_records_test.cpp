// The record's values in the forms that fields want. A "|" stands for the line end between two forms.
#include "injector/values.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "injector/places.hpp"

namespace popvault::injector {
namespace {

using Record = std::vector<std::pair<std::string, std::string>>;

const Record kCard{{"number", "378282246310005"}, {"exp_month", "04"}, {"exp_year", "2031"}, {"cvv", "7373"}, {"holder", "Zoe O'Neil"}};
const Record kPerson{{"name", "Zoe Anne O'Neil"}, {"email", "zoe@post.example"}, {"phone", "+49 (30) 12-34"}, {"address", "Allee 12"},
                     {"address2", "Hof 3"}, {"city", "Berlin"}, {"state", "Berlin"}, {"postal_code", "10117"}, {"country", "DE"}};
const Record kLogin{{"username", "zoe"}, {"password", "a\nb"}, {"totp", "204816"}};

std::uint32_t bits_of(const Record& record) {
  std::uint32_t out = 0;
  for (std::uint8_t i = 0; i < kFieldCount; ++i)
    for (const auto& pair : record)
      if (to_string(static_cast<Field>(i)) == pair.first) out |= 1U << i;
  return out;
}

std::optional<Values> values_of(const Record& record, Kind kind, std::uint32_t fields = 0) {
  SecretFields secret;
  for (const auto& pair : record) EXPECT_TRUE(secret.set(pair.first, as_bytes(pair.second)));
  const auto fd = bundle_of(secret);
  if (!fd) return std::nullopt;
  auto bundle = Bundle::receive(*fd);
  if (!bundle) return std::nullopt;
  Job job;
  job.kind = kind;
  job.has_cvc = job.has_holder = true;
  job.fields = fields != 0 ? fields : bits_of(record);
  return Values::create(std::move(*bundle), job);
}

std::string shown(const SecretBytes& text) {
  std::string out(as_text(text.reveal(SecretAccess{})));
  std::replace(out.begin(), out.end(), '\n', '|');
  return out;
}

Record with(Record record, const std::string& name, const std::string& value) {
  for (auto& pair : record)
    if (pair.first == name) pair.second = value;
  return record;
}

constexpr std::uint32_t box(std::uint32_t offset, std::uint32_t count, bool last = false) {
  return offset << 8 | count << 13 | (last ? 1U << 18 : 0U);
}

TEST(Values, Card) {
  const auto card = values_of(kCard, Kind::card);
  ASSERT_TRUE(card);
  EXPECT_EQ(shown(card->text(Field::number, {})), "378282246310005");
  EXPECT_EQ(shown(card->text(Field::number, {box(0, 4)})), "3782");
  EXPECT_EQ(shown(card->text(Field::number, {box(4, 6)})), "822463");
  EXPECT_EQ(shown(card->text(Field::number, {box(10, 5, true)})), "10005");
  EXPECT_EQ(shown(card->text(Field::number, {box(12, 4, true)})), "005");
  EXPECT_EQ(shown(card->text(Field::number, {box(10, 4, true)})), "10005") << "the last box takes the rest";
  EXPECT_EQ(shown(card->text(Field::number, {box(20, 4)})), "");
  EXPECT_EQ(shown(card->expected(Field::number, {box(4, 6)})), "822463");
  EXPECT_EQ(shown(card->text(Field::number, {32})), "3782 8224 6310 005");
  EXPECT_EQ(shown(card->expected(Field::number, {32})), "378282246310005");
  EXPECT_EQ(shown(card->text(Field::exp, {10})), "04 / 2031");
  EXPECT_EQ(shown(card->expected(Field::exp, {10})), "042031");
  EXPECT_EQ(shown(card->text(Field::holder, {128})), "O'Neil");
}

TEST(Values, Names) {
  const auto person = values_of(kPerson, Kind::identity);
  ASSERT_TRUE(person);
  EXPECT_EQ(shown(person->text(Field::name, {})), "Zoe Anne O'Neil");
  EXPECT_EQ(shown(person->text(Field::given_name, {})), "Zoe Anne");
  EXPECT_EQ(shown(person->text(Field::family_name, {})), "O'Neil");
  const auto halves = values_of({{"given_name", "Ana"}, {"family_name", "de la Cruz"}}, Kind::identity);
  EXPECT_EQ(shown(halves->text(Field::name, {})), "Ana de la Cruz");
  EXPECT_EQ(shown(halves->text(Field::family_name, {})), "de la Cruz");
}

TEST(Values, Phones) {
  const auto phone = [](const std::string& number, const std::string& country, std::uint32_t bits) {
    const auto values = values_of(with(with(kPerson, "phone", number), "country", country), Kind::identity);
    return values ? shown(values->text(Field::phone, {bits})) : "(none)";
  };
  EXPECT_EQ(phone("+49 (30) 12-34", "DE", 0), "+49 (30) 12-34|+49301234|0301234|301234");
  EXPECT_EQ(phone("+49 (30) 12-34", "DE", 1), "0301234|301234");
  EXPECT_EQ(phone("+49 (30) 12-34", "DE", 5), "301234|0301234");
  EXPECT_EQ(phone("+49 (30) 12-34", "DE", 2), "+49|49|0049|DE|DEU");
  EXPECT_EQ(phone("+49 (30) 12-34", "France", 2), "+49|49|0049") << "the phone is from elsewhere";
  EXPECT_EQ(phone("0049 30 1234", "DE", 1), "0301234|301234");
  EXPECT_EQ(phone("030 1234", "Germany", 2), "+49|49|0049|DE|DEU");
  EXPECT_EQ(phone("030 1234", "DE", 5), "301234|0301234");
  EXPECT_EQ(phone("+1 415 555 0123", "US", 1), "4155550123|4155550123");
  EXPECT_EQ(phone("+353 1 234 5678", "IE", 1), "012345678|12345678");
  EXPECT_EQ(phone("030 1234", "Nowhere", 2), "");
}

TEST(Values, Places) {
  const auto person = values_of(kPerson, Kind::identity);
  EXPECT_EQ(shown(person->text(Field::address, {})), "Allee 12");
  EXPECT_EQ(shown(person->text(Field::address, {1})), "Allee 12, Hof 3");
  EXPECT_EQ(shown(person->text(Field::address, {4})), "Allee 12|Hof 3");
  EXPECT_EQ(shown(person->text(Field::country, {})), "Germany|DE|DEU");
  EXPECT_EQ(shown(person->text(Field::state, {})), "Berlin");
  const auto place = [](Field field, const Record& record) { return shown(values_of(record, Kind::identity)->text(field, {})); };
  const Record american = with(with(kPerson, "country", "usa"), "state", "ca");
  EXPECT_EQ(place(Field::state, american), "California|CA|US-CA");
  EXPECT_EQ(place(Field::country, american), "United States|US|USA|United States of America");
  EXPECT_EQ(place(Field::state, with(with(kPerson, "country", "CA"), "state", "Ontario")), "Ontario|ON|CA-ON");
  EXPECT_EQ(place(Field::country, with(kPerson, "country", "Atlantis")), "Atlantis");
  EXPECT_EQ(place(Field::postal_code, with(american, "postal_code", "95110-1234")), "95110-1234|95110|951101234");
  EXPECT_EQ(place(Field::postal_code, with(with(kPerson, "country", "GB"), "postal_code", "SW1A 1AA")), "SW1A 1AA|SW1A1AA");
  EXPECT_EQ(place(Field::postal_code, with(with(kPerson, "country", "CA"), "postal_code", "K1A0B1")), "K1A0B1|K1A 0B1");
}

TEST(Values, Logins) {
  const auto login = values_of(kLogin, Kind::login);
  ASSERT_TRUE(login);
  EXPECT_EQ(shown(login->text(Field::password, {})), "a|b") << "as it is";
  EXPECT_EQ(shown(login->expected(Field::password, {})), "a|b");
  EXPECT_EQ(shown(login->text(Field::totp, {box(2, 1)})), "4");
  EXPECT_EQ(shown(login->text(Field::totp, {box(5, 1, true)})), "6");
}

TEST(Values, RecordsThatAreNotWhatTheJobSays) {
  const auto bit = [](Field field) { return 1U << static_cast<unsigned>(field); };
  EXPECT_FALSE(values_of(kCard, Kind::login, bit(Field::password)));
  EXPECT_FALSE(values_of(kLogin, Kind::card));
  EXPECT_FALSE(values_of(with(kLogin, "totp", "12ab56"), Kind::login));
  EXPECT_FALSE(values_of(with(kPerson, "city", "a\nb"), Kind::identity)) << "a second form";
  EXPECT_FALSE(values_of(with(kPerson, "city", std::string(201, 'x')), Kind::identity));
  EXPECT_FALSE(values_of(kPerson, Kind::identity, bit(Field::given_name)));
  EXPECT_TRUE(values_of(with(kPerson, "address", std::string(200, 'x')), Kind::identity));
  EXPECT_EQ(shown(values_of(with(kPerson, "country", std::string(200, 'x')), Kind::identity)->text(Field::country, {})).size(), 200U);
}

TEST(Places, Tables) {
  EXPECT_EQ(country_of("deu")->alpha2, "DE");
  EXPECT_EQ(country_of("GREAT BRITAIN")->alpha2, "GB");
  EXPECT_EQ(country_of(""), nullptr) << "countries without a second name";
  EXPECT_EQ(country_of("XX"), nullptr);
  EXPECT_EQ(state_of("US", "ny")->name, "New York");
  EXPECT_EQ(state_of("DE", "CA"), nullptr);
  EXPECT_EQ(calling_code_length("15551234"), 1U);
  EXPECT_EQ(calling_code_length("4930"), 2U);
  EXPECT_EQ(calling_code_length("35312345"), 3U);
  EXPECT_EQ(calling_code_length("4"), 0U);
}

}  // namespace
}  // namespace popvault::injector
