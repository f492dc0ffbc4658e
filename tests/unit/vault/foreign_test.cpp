// The vaults in tests/vectors/foreign-vault, made by the other tool; their README tells what the members are.
#include "vault/foreign.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "crypto/compiled_salt.hpp"
#include "vault/vault_file.hpp"

namespace popvault {
namespace {

using nlohmann::json;
const std::filesystem::path kFolder =
    std::filesystem::path(POPVAULT_SOURCE_DIR) / "tests/vectors/foreign-vault";

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

std::vector<std::string> vector_names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().extension() == ".json") out.push_back(entry.path().stem().string());
  std::sort(out.begin(), out.end());
  return out;
}

json description(const std::string& name) { return json::parse(std::ifstream(kFolder / (name + ".json"))); }
Bytes vault_bytes(const std::string& name) { return read_file(kFolder / (name + ".enc")); }

ForeignOptions options_of(const json& about) {
  ForeignOptions out;
  out.mode = foreign_mode_of(about.at("mode").get<std::string>()).value();
  out.machine_id = from_hex(about.at("machine_id_hex").get<std::string>());
  out.username = about.at("username").get<std::string>();
  if (out.mode == ForeignMode::machine_hardened) out.salt = from_hex(about.at("salt_hex").get<std::string>());
  if (about.at("passphrase").is_string())
    out.passphrase = SecretBytes::copy_of(as_bytes(about.at("passphrase").get<std::string>()));
  return out;
}

std::string value(const VaultDocument& document, const std::string& name) {
  const SecretBytes* const found = document.find(name);
  return found != nullptr ? std::string(as_text(found->reveal(SecretAccess{}))) : "(none)";
}
std::string value(const SecretFields& fields, std::string_view name) {
  const auto found = fields.find(name, SecretAccess{});
  return found ? std::string(as_text(*found)) : "(none)";
}

class ForeignVault : public testing::TestWithParam<std::string> {};

TEST_P(ForeignVault, OpensOrIsRefusedAsDescribed) {
  const json about = description(GetParam());
  const auto opened = open_foreign(vault_bytes(GetParam()), options_of(about));
  if (about.at("expect") == "ok") {
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ(opened->size(), about.at("creds").size());
    for (const auto& [name, expected] : about.at("creds").items()) EXPECT_EQ(value(*opened, name), expected);
    return;
  }
  const bool corrupt = GetParam().starts_with("n02") || GetParam().starts_with("n14");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, corrupt ? Errc::vault_corrupt : Errc::wrong_key);
}

TEST_P(ForeignVault, TheKeyIsTheDescribedOne) {
  const json about = description(GetParam());
  const SecretBytes key = foreign_key(options_of(about)).value();
  EXPECT_EQ(to_hex(key.reveal(SecretAccess{})), about.at("derived_key_hex"));
}

TEST_P(ForeignVault, TheTypeScriptEditionsBytesAreWrittenAgain) {
  const json about = description(GetParam());
  if (about.at("expect") != "ok") return;
  const SecretBytes key = foreign_key(options_of(about)).value();
  const SecretBytes text = open_vault(key, vault_bytes(GetParam()))->serialise();
  const bool spaced = GetParam().find("-py-") != std::string::npos && about.at("creds").size() > 0;
  if (!spaced) {
    EXPECT_EQ(to_hex(text.reveal(SecretAccess{})), about.at("plaintext_hex"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ForeignVault, testing::ValuesIn(vector_names()), [](const auto& at) {
  std::string name = at.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(ForeignVaults, AreAllHere) { EXPECT_EQ(vector_names().size(), 18U); }

TEST(ForeignVaults, ModeMachineFindsTheSalt) {
  for (const char* name :
       {"02-ts-oss-init-alice", "16-ts-hardened-salt1-zero-byte", "22-py-hardened-salt32"}) {
    ForeignOptions options = options_of(description(name));
    options.mode = ForeignMode::machine;
    EXPECT_TRUE(open_foreign(vault_bytes(name), options)) << name;
  }
}

TEST(ForeignVaults, RefusalsOfOptions) {
  const std::string name = "16-ts-hardened-salt1-zero-byte";
  ForeignOptions options = options_of(description(name));
  options.salt = Bytes{};
  EXPECT_EQ(open_foreign(vault_bytes(name), options).error().code, Errc::invalid_field);
  options.salt = Bytes(65, 1);
  EXPECT_EQ(open_foreign(vault_bytes(name), options).error().code, Errc::invalid_field);
  options.salt.reset();
  EXPECT_EQ(open_foreign(vault_bytes(name), options).error().code,
            crypto::hardened_build() ? Errc::wrong_key : Errc::downgrade_refused);
  options.machine_id.reset();
  EXPECT_EQ(open_foreign(vault_bytes(name), options).error().code, Errc::invalid_field);
}

TEST(ForeignVaults, CardsAreMapped) {
  const auto opened =
      open_foreign(vault_bytes("02-ts-oss-init-alice"), options_of(description("02-ts-oss-init-alice")));
  const ForeignCard found = foreign_card(*opened).value();
  EXPECT_EQ(found.fields,
            (std::vector<std::string>{"card_number", "cvv", "exp_month", "exp_year", "expiration_date"}));
  ASSERT_TRUE(found.card);
  EXPECT_EQ(value(*found.card, "number"), "4111111111111111");
  EXPECT_EQ(value(*found.card, "cvv"), "737");
  EXPECT_EQ(value(*found.card, "exp_month"), "03");
  EXPECT_EQ(value(*found.card, "exp_year"), "2030");
}

VaultDocument document(std::initializer_list<std::pair<const char*, const char*>> members) {
  VaultDocument out;
  for (const auto& member : members) out.set_text(member.first, member.second);
  return out;
}

TEST(ForeignCards, AnEmptyNumberIsNoCard) {
  const auto empty = foreign_card(document({{"card_number", ""}, {"expiration_date", "/"}, {"note", "x"}}));
  ASSERT_TRUE(empty);
  EXPECT_FALSE(empty->card);
  EXPECT_EQ(empty->fields.size(), 3U);
  EXPECT_FALSE(foreign_card(document({}))->card);
}

TEST(ForeignCards, TheExpirationDateStandsIn) {
  const auto card =
      foreign_card(document({{"card_number", "4111 1111 1111 1111"}, {"expiration_date", "3/30"}}));
  ASSERT_TRUE(card);
  EXPECT_EQ(value(*card->card, "exp_month"), "03");
  EXPECT_EQ(value(*card->card, "exp_year"), "2030");
  EXPECT_FALSE(card->card->has("cvv"));
}

TEST(ForeignCards, WrongOnesNameTheFieldAndNotTheValue) {
  const auto refused = [](const VaultDocument& d) {
    const auto card = foreign_card(d);
    return card ? std::string("accepted")
                : std::string(info(card.error().code).word) + ' ' + card.error().detail;
  };
  EXPECT_EQ(refused(document({{"card_number", "4111111111111112"}, {"exp_month", "03"}, {"exp_year", "30"}})),
            "invalid_field number");
  EXPECT_EQ(refused(document({{"card_number", "4111111111111111"}})), "invalid_field exp_month");
  EXPECT_EQ(refused(document({{"card_number", "4111111111111111"}, {"expiration_date", "13/30"}})),
            "invalid_field exp_month");
}

TEST(ForeignExport, IsReadBackAndHasTheOtherToolsBytes) {
  SecretFields card;
  for (const auto& [name, text] : {std::pair{"number", "4111111111111111"},
                                   {"cvv", "737"},
                                   {"exp_month", "03"},
                                   {"exp_year", "2030"},
                                   {"holder", "A B"}}) {
    ASSERT_TRUE(card.set(name, as_bytes(text)));
  }
  const json about = description("02-ts-oss-init-alice");
  const SecretBytes key = foreign_key(options_of(about)).value();
  const Bytes file = export_foreign(card, key).value();
  EXPECT_EQ(file.size(), vault_bytes("02-ts-oss-init-alice").size());
  const SecretBytes text = open_vault(key, file)->serialise();
  EXPECT_EQ(to_hex(text.reveal(SecretAccess{})), about.at("plaintext_hex"));
}

}  // namespace
}  // namespace popvault
