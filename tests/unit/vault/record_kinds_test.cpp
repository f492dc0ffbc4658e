#include "vault/record_kinds.hpp"

#include <gtest/gtest.h>

#include <map>

namespace popvault {
namespace {

using Values = std::map<std::string, std::string>;

SecretFields fields(const Values& values) {
  SecretFields out;
  for (const auto& [name, value] : values) EXPECT_TRUE(out.set(name, as_bytes(value)));
  return out;
}

Values values(const SecretFields& fields) {
  Values out;
  for (const std::string& name : fields.names()) out[name] = as_text(*fields.find(name, SecretAccess{}));
  return out;
}

// The fields as they are kept, or {{"refused", detail}}.
Values kept(std::string_view kind, const Values& given) {
  SecretFields record = fields(given);
  const Status status = normalise_record(kind, record);
  if (!status) {
    EXPECT_EQ(status.error().code, Errc::invalid_field);
    return {{"refused", status.error().detail}};
  }
  SecretFields again = record.clone();
  EXPECT_TRUE(normalise_record(kind, again));
  EXPECT_EQ(values(again), values(record)) << "what is normal stays as it is";
  return values(record);
}

Values changed(Values base, const Values& change) {
  for (const auto& [name, value] : change) base[name] = value;
  return base;
}

Values refused(const std::string& detail) { return {{"refused", detail}}; }

const Values kLogin = {{"origin", "https://mail.example"}, {"username", "ada"}, {"password", " p w\n"}};
const Values kIdentity = {{"name", "Ada L"}};

Values login(const Values& change) { return kept("login", changed(kLogin, change)); }
Values identity(const Values& change) { return kept("identity", changed(kIdentity, change)); }

TEST(RecordKinds, PrefixesAndWords) {
  EXPECT_EQ(id_prefix_of("card"), "crd_");
  EXPECT_EQ(id_prefix_of("identity"), "idn_");
  EXPECT_EQ(id_prefix_of("login"), "lgn_");
  EXPECT_EQ(id_prefix_of("api_key"), "key_");
  EXPECT_EQ(id_prefix_of("api-key"), "");
  EXPECT_EQ(kept("boat", {}), refused("kind is card, identity, login or api_key"));
}

TEST(RecordKinds, ACardIsACard) {
  const Values card = {{"number", "4242 4242 4242 4242"}, {"exp_month", "1"}, {"exp_year", "34"}};
  EXPECT_EQ(kept("card", card),
            (Values{{"number", "4242424242424242"}, {"exp_month", "01"}, {"exp_year", "2034"}}));
  EXPECT_EQ(kept("card", changed(card, {{"number", "4242424242424241"}})), refused("number"));
  EXPECT_EQ(kept("card", changed(card, {{"key", "x"}})), refused("key is no field of this kind"));
}

TEST(RecordKinds, Identity) {
  EXPECT_EQ(
      identity({{"email", " ada@x.example "}, {"phone", ""}, {"city", "K\xc3\xb6ln"}, {"country", "de"}}),
      (Values{{"name", "Ada L"}, {"email", "ada@x.example"}, {"city", "K\xc3\xb6ln"}, {"country", "DE"}}));
  EXPECT_EQ(identity({{"country", "Deutschland"}})["country"], "Deutschland");
  EXPECT_EQ(identity({{"country", "d1"}})["country"], "d1");
  for (const char* good : {"a@b", "\"a@b\"@x.example", "a+b@xn--bcher-kva.example"})
    EXPECT_EQ(identity({{"email", good}})["email"], good);
  for (const char* bad : {"ada", "@x.example", "ada@", "a b@x.example", "a@.example", "a@example."})
    EXPECT_EQ(identity({{"email", bad}}), refused("email")) << bad;
  EXPECT_EQ(identity({{"address", std::string(200, 'x')}})["address"].size(), 200U);
  EXPECT_EQ(identity({{"address", std::string(201, 'x')}}), refused("address"));
  EXPECT_EQ(identity({{"city", "a\x1b[2J"}}), refused("city"));
  EXPECT_EQ(identity({{"postal_code", "\xff"}}), refused("postal_code"));
  EXPECT_EQ(identity({{"name", "  "}}), refused("name is missing"));
  EXPECT_EQ(kept("identity", {{"email", "a@b"}}), refused("name is missing"));
  EXPECT_EQ(identity({{"number", "1"}}), refused("number is no field of this kind"));
}

TEST(RecordKinds, Login) {
  EXPECT_EQ(login({}), kLogin);
  EXPECT_EQ(login({{"origin", " https://mail.example:443/ "}})["origin"], "https://mail.example");
  EXPECT_EQ(login({{"origin", "http://127.0.0.1:8080"}})["origin"], "http://127.0.0.1:8080");
  for (const char* bad :
       {"http://mail.example", "mail.example", "https://Mail.example", "https://a.example/login", "ftp://a"})
    EXPECT_EQ(login({{"origin", bad}}), refused("origin")) << bad;
  EXPECT_EQ(login({{"username", ""}}), refused("username is missing"));
  EXPECT_EQ(login({{"password", ""}}), refused("password is missing"));
  EXPECT_EQ(login({{"password", std::string(1024, 'x')}})["password"].size(), 1024U);
  EXPECT_EQ(login({{"password", std::string(1025, 'x')}}), refused("password"));
  EXPECT_EQ(login({{"username", "a\xc0\x80"}}), refused("username"));
}

TEST(RecordKinds, Totp) {
  EXPECT_EQ(login({{"totp", ""}, {"totp_digits", "8"}}), kLogin);
  EXPECT_EQ(login({{"totp", " jbsw y3dp-ehpk 3pxp== "}}), changed(kLogin, {{"totp", "JBSWY3DPEHPK3PXP"}}));
  EXPECT_EQ(login({{"totp", "JBSWY3DPEHPK3PXP"},
                   {"totp_algorithm", "sha1"},
                   {"totp_digits", "6"},
                   {"totp_period", "030"}}),
            changed(kLogin, {{"totp", "JBSWY3DPEHPK3PXP"}}));
  const Values other = changed(kLogin, {{"totp", "JBSWY3DPEHPK3PXP"},
                                        {"totp_algorithm", "SHA512"},
                                        {"totp_digits", "8"},
                                        {"totp_period", "60"}});
  EXPECT_EQ(kept("login", other), other);
  EXPECT_EQ(login({{"totp", "0"}}), refused("totp"));
  EXPECT_EQ(login({{"totp", std::string(8 * 52, 'A')}}), refused("totp")) << "260 bytes";
  EXPECT_EQ(kept("login", changed(other, {{"totp_algorithm", "MD5"}})), refused("totp_algorithm"));
  for (const char* bad : {"5", "9", "x", "6.0", "-6", "00006"})
    EXPECT_EQ(kept("login", changed(other, {{"totp_digits", bad}})), refused("totp_digits")) << bad;
  for (const char* bad : {"0", "3601", "99999999999", "30s"})
    EXPECT_EQ(kept("login", changed(other, {{"totp_period", bad}})), refused("totp_period")) << bad;
}

TEST(RecordKinds, TotpAddress) {
  const Values plain = changed(kLogin, {{"totp", "JBSWY3DPEHPK3PXP"}});
  for (const char* good : {"otpauth://totp/Mail:ada?secret=JBSWY3DPEHPK3PXP&issuer=Mail",
                           "otpauth://totp/?secret=jbswy3dpehpk3pxp",
                           "OTPAUTH://TOTP/a?issuer=&secret=JBSW%20Y3DP+EHPK3PXP%3D%3d&&image=x#secret=MY",
                           "otpauth://totp/a?x&SECRET=JBSWY3DPEHPK3PXP",
                           "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&algorithm=sha1&digits=6&period=30"})
    EXPECT_EQ(login({{"totp", good}}), plain) << good;
  // The address says all: what stood beside an older seed does not count.
  EXPECT_EQ(login({{"totp", "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP"}, {"totp_digits", "8"}}), plain);
  EXPECT_EQ(login({{"totp", "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&algorithm=SHA256&digits=8&period=60"}}),
            changed(plain, {{"totp_algorithm", "SHA256"}, {"totp_digits", "8"}, {"totp_period", "60"}}));
  for (const char* bad : {"otpauth:", "otpauth://totp", "otpauth://totp/", "otpauth://totp/a?secret=",
                          "otpauth://totp/a?issuer=x", "otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP&counter=1",
                          "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&secret=JBSWY3DPEHPK3PXP",
                          "otpauth://totp/a?secret=JBSWY3DP%", "otpauth://totp/a?secret=JBSWY3DP%4",
                          "otpauth://totp/a?secret=%00", "otpauth://totp/a#?secret=JBSWY3DPEHPK3PXP",
                          "https://totp/a?secret=JBSWY3DPEHPK3PXP"})
    EXPECT_EQ(login({{"totp", bad}}), refused("totp")) << bad;
  EXPECT_EQ(login({{"totp", "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&digits=9"}}), refused("totp_digits"));
  EXPECT_EQ(login({{"totp", "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&period=0"}}), refused("totp_period"));
  EXPECT_EQ(login({{"totp", "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&algorithm=MD5"}}),
            refused("totp_algorithm"));
  EXPECT_EQ(login({{"totp", "otpauth://totp/" + std::string(2048, 'a') + "?secret=JBSWY3DPEHPK3PXP"}}),
            refused("totp"));
}

TEST(RecordKinds, ApiKey) {
  EXPECT_EQ(kept("api_key", {{"key", " sk-1 "}, {"service", ""}}), (Values{{"key", "sk-1"}}));
  EXPECT_EQ(kept("api_key", {{"key", std::string(4096, 'k')}})["key"].size(), 4096U);
  EXPECT_EQ(kept("api_key", {{"key", std::string(4097, 'k')}}), refused("key"));
  EXPECT_EQ(kept("api_key", {{"key", "a\nb"}}), refused("key"));
  EXPECT_EQ(kept("api_key", {{"key", " "}}), refused("key is missing"));
  EXPECT_EQ(kept("api_key", {{"service", "x"}}), refused("key is missing"));
}

TEST(RecordKinds, Change) {
  SecretFields record = fields(changed(kLogin, {{"totp", "JBSWY3DPEHPK3PXP"}, {"totp_digits", "8"}}));
  ASSERT_TRUE(change_record("login", record, fields({{"username", "eve"}})));
  EXPECT_EQ(values(record),
            changed(kLogin, {{"username", "eve"}, {"totp", "JBSWY3DPEHPK3PXP"}, {"totp_digits", "8"}}));
  const Values before = values(record);
  const Status missing = change_record("login", record, fields({{"username", "x"}, {"password", ""}}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().detail, "password is missing");
  EXPECT_EQ(values(record), before);
  ASSERT_TRUE(change_record("login", record, fields({{"totp", "MZXW6YTBOI"}})));
  EXPECT_EQ(values(record), changed(kLogin, {{"username", "eve"}, {"totp", "MZXW6YTBOI"}}));
  ASSERT_TRUE(change_record("login", record, fields({{"totp_period", "60"}})));
  ASSERT_TRUE(change_record("login", record, fields({{"totp", ""}})));
  EXPECT_EQ(values(record), changed(kLogin, {{"username", "eve"}}));
}

// RFC 6238 appendix B at 59 s.
TEST(RecordKinds, CurrentCode) {
  SecretFields record =
      fields(changed(kLogin, {{"totp", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}, {"totp_digits", "8"}}));
  const auto code = current_totp(record, 59);
  ASSERT_TRUE(code);
  EXPECT_EQ(as_text(code->reveal(SecretAccess{})), "94287082");
  EXPECT_EQ(totp_seconds_left(record, 59), 1U);
  record.erase("totp");
  EXPECT_EQ(current_totp(record, 59).error().code, Errc::not_found);
  EXPECT_EQ(totp_seconds_left(record, 59), 0U);
}

}  // namespace
}  // namespace popvault
