// The recipes that come with popvault: each parses, and takes the request that its documents describe.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "sample.hpp"

using namespace popvault;
using namespace popvault::wire;

namespace {

const std::filesystem::path kFolder = POPVAULT_SOURCE_DIR "/recipes";

std::string file(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

Recipe shipped(const std::string& name) { return recipe_of(file(kFolder / (name + ".json"))); }

TEST(Shipped, EachParses) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".json") continue;
    const Recipe recipe = recipe_of(file(entry.path()));
    EXPECT_EQ(recipe.name, entry.path().stem().string());
    EXPECT_FALSE(recipe.checked) << "nobody tried " << recipe.name << " with the processor itself";
    EXPECT_FALSE(recipe.origins().empty());
    names.insert(recipe.name);
  }
  for (const char* name : {"stripe", "braintree", "square", "paypal", "shopify", "checkout-com", "authorize-net", "adyen",
                           "worldpay-cse", "recurly", "spreedly", "mercado-pago", "omise", "worldpay-access"})
    EXPECT_EQ(names.count(name), 1U) << name;
  EXPECT_EQ(shipped("adyen").mode, Mode::sealed);
  EXPECT_EQ(shipped("worldpay-cse").mode, Mode::sealed);
}

// What a page of the processor posts, as its documents have it, and what goes out then.
struct Row {
  const char *recipe, *url, *type, *body;
  std::vector<std::pair<std::string, std::string>> headers;
  const char *account, *sent;
};

const Row kRows[] = {
    {"stripe", "https://api.stripe.com/v1/payment_methods", "application/x-www-form-urlencoded",
     "type=card&card[number]=4242+4212+3456+7897&card[cvc]=987&card[exp_month]=05&card[exp_year]=31&guid=a&muid=b&sid=c&"
     "payment_user_agent=stripe.js%2F1&time_on_page=1&billing_details[name]=J&key=pk_1",
     {}, "pk_1",
     "type=card&card%5Bnumber%5D=5105+1051+0510+5100&card%5Bcvc%5D=456&card%5Bexp_month%5D=12&card%5Bexp_year%5D=29&guid=a&muid=b&"
     "sid=c&payment_user_agent=stripe.js%2F1&time_on_page=1&billing_details%5Bname%5D=J&key=pk_1"},
    {"stripe", "https://api.stripe.com/v1/tokens", "application/x-www-form-urlencoded",
     "card[number]=4242421234567897&card[exp_month]=5&card[exp_year]=2031&card[cvc]=987&key=pk_1&_stripe_account=acct_1", {}, "pk_1",
     "card%5Bnumber%5D=5105105105105100&card%5Bexp_month%5D=12&card%5Bexp_year%5D=2029&card%5Bcvc%5D=456&key=pk_1&"
     "_stripe_account=acct_1"},
    {"stripe", "https://api.stripe.com/v1/payment_intents/pi_1/confirm", "application/x-www-form-urlencoded",
     "payment_method_data[type]=card&payment_method_data[card][number]=4242421234567897&payment_method_data[card][cvc]=987&"
     "payment_method_data[card][exp_month]=05&payment_method_data[card][exp_year]=31&client_secret=s&use_stripe_sdk=true&key=pk_1",
     {}, "pk_1",
     "payment_method_data%5Btype%5D=card&payment_method_data%5Bcard%5D%5Bnumber%5D=5105105105105100&"
     "payment_method_data%5Bcard%5D%5Bcvc%5D=456&payment_method_data%5Bcard%5D%5Bexp_month%5D=12&"
     "payment_method_data%5Bcard%5D%5Bexp_year%5D=29&client_secret=s&use_stripe_sdk=true&key=pk_1"},
    {"braintree", "https://payments.braintree-api.com/graphql", "application/json",
     R"({"clientSdkMetadata":{"source":"client","integration":"custom","sessionId":"s"},"query":"mutation TokenizeCreditCard($input: TokenizeCreditCardInput!) {   tokenizeCreditCard(input: $input) {     token     creditCard {       bin       last4       binData {         prepaid       }     }   } }","variables":{"input":{"creditCard":{"number":"4242421234567897","expirationMonth":"05","expirationYear":"2031","cvv":"987"},"options":{"validate":false}}},"operationName":"TokenizeCreditCard"})",
     {{"Authorization", "Bearer pk_1"}, {"Braintree-Version", "2018-05-10"}}, "pk_1",
     R"({"clientSdkMetadata":{"source":"client","integration":"custom","sessionId":"s"},"query":"mutation TokenizeCreditCard($input: TokenizeCreditCardInput!) {   tokenizeCreditCard(input: $input) {     token     creditCard {       bin       last4       binData {         prepaid       }     }   } }","variables":{"input":{"creditCard":{"number":"5105105105105100","expirationMonth":"12","expirationYear":"2029","cvv":"456"},"options":{"validate":false}}},"operationName":"TokenizeCreditCard"})"},
    {"braintree", "https://api.braintreegateway.com/merchants/acct_1/client_api/v1/payment_methods/credit_cards", "application/json",
     R"({"creditCard":{"number":"4242421234567897","expirationDate":"05/2031","options":{"validate":false}},"tokenizationKey":"t"})", {},
     "acct_1",
     R"({"creditCard":{"number":"5105105105105100","expirationDate":"12/2029","options":{"validate":false}},"tokenizationKey":"t"})"},
    {"checkout-com", "https://api.checkout.com/tokens", "application/json",
     R"({"type":"card","number":"4242421234567897","expiry_month":5,"expiry_year":2031,"cvv":"987","phone":{"country_code":"+44","number":"1"}})",
     {{"authorization", "pk_1"}}, "pk_1",
     R"({"type":"card","number":"5105105105105100","expiry_month":12,"expiry_year":2029,"cvv":"456","phone":{"country_code":"+44","number":"1"}})"},
    {"authorize-net", "https://api2.authorize.net/xml/v1/request.api", "application/json; charset=utf-8",
     R"({"securePaymentContainerRequest":{"merchantAuthentication":{"name":"acct_1","clientKey":"pk_1"},"data":{"type":"TOKEN","id":"x","token":{"cardNumber":"4242421234567897","expirationDate":"052031","cardCode":"987"}}}})",
     {}, "pk_1",
     R"({"securePaymentContainerRequest":{"merchantAuthentication":{"name":"acct_1","clientKey":"pk_1"},"data":{"type":"TOKEN","id":"x","token":{"cardNumber":"5105105105105100","expirationDate":"122029","cardCode":"456"}}}})"},
    {"shopify", "https://checkout.pci.shopifyinc.com/sessions", "application/json",
     R"({"credit_card":{"number":"4242 4212 3456 7897","month":5,"year":2031,"verification_value":"987","start_month":null,"start_year":null,"issue_number":"","name":"J"},"payment_session_scope":"acct_1"})",
     {}, "acct_1",
     R"({"credit_card":{"number":"5105 1051 0510 5100","month":12,"year":2029,"verification_value":"456","start_month":null,"start_year":null,"issue_number":"","name":"J"},"payment_session_scope":"acct_1"})"},
    {"paypal", "https://api-m.paypal.com/v2/checkout/orders/O1/confirm-payment-source", "application/json",
     R"({"payment_source":{"card":{"number":"4242421234567897","expiry":"2031-05","security_code":"987"}}})",
     {{"paypal-auth-assertion", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJjIiwicGF5ZXJfaWQiOiJhY2N0XzEifQ."}}, "acct_1",
     R"({"payment_source":{"card":{"number":"5105105105105100","expiry":"2029-12","security_code":"456"}}})"},
    {"square", "https://pci-connect.squareup.com/v2/card-nonce?_=1.2&version=3", "application/json; charset=utf-8",
     R"({"client_id":"pk_1","location_id":"acct_1","session_id":"s","card_data":{"number":"4242421234567897","exp_month":5,"exp_year":2031,"cvv":"987","billing_postal_code":"1"}})",
     {}, "pk_1",
     R"({"client_id":"pk_1","location_id":"acct_1","session_id":"s","card_data":{"number":"5105105105105100","exp_month":12,"exp_year":2029,"cvv":"456","billing_postal_code":"1"}})"},
    {"recurly", "https://api.recurly.com/js/v1/token", "application/x-www-form-urlencoded",
     "first_name=J&number=4242421234567897&month=5&year=31&cvv=987&version=4&key=pk_1", {}, "pk_1",
     "first_name=J&number=5105105105105100&month=12&year=29&cvv=456&version=4&key=pk_1"},
    {"spreedly", "https://core.spreedly.com/v1/payment_methods/restricted.json?from=iframe&v=1.1", "application/json",
     R"({"environment_key":"pk_1","payment_method":{"credit_card":{"number":"4242421234567897","verification_value":"987","full_name":"J","month":"5","year":"2031"}}})",
     {}, "pk_1",
     R"({"environment_key":"pk_1","payment_method":{"credit_card":{"number":"5105105105105100","verification_value":"456","full_name":"J","month":"12","year":"2029"}}})"},
    {"mercado-pago", "https://api.mercadopago.com/v1/card_tokens?public_key=pk_1", "application/json",
     R"({"card_number":"4242421234567897","security_code":"987","expiration_month":5,"expiration_year":2031,"cardholder":{"name":"J"}})", {},
     "pk_1",
     R"({"card_number":"5105105105105100","security_code":"456","expiration_month":12,"expiration_year":2029,"cardholder":{"name":"J"}})"},
    {"omise", "https://vault.omise.co/tokens", "application/x-www-form-urlencoded",
     "card[name]=J&card[number]=4242421234567897&card[expiration_month]=5&card[expiration_year]=2031&card[security_code]=987",
     {{"authorization", "pk_1"}}, "pk_1",
     "card%5Bname%5D=J&card%5Bnumber%5D=5105105105105100&card%5Bexpiration_month%5D=12&card%5Bexpiration_year%5D=2029&"
     "card%5Bsecurity_code%5D=456"},
    {"worldpay-access", "https://access.worldpay.com/sessions/card", "application/vnd.worldpay.sessions-v1.hal+json",
     R"({"identity":"pk_1","cardNumber":"4242421234567897","cardExpiryDate":{"month":5,"year":2031},"cvc":"987"})", {}, "pk_1",
     R"({"identity":"pk_1","cardNumber":"5105105105105100","cardExpiryDate":{"month":12,"year":2029},"cvc":"456"})"},
};

Sample sample_of(const Row& row) {
  Sample out;
  out.url = row.url;
  out.headers = row.headers;
  out.headers.emplace_back("content-type", row.type);
  out.body = row.body;
  return out;
}

TEST(Shipped, WhatTheDocumentsDescribe) {
  std::set<std::string> seen;
  for (const Row& row : kRows) {
    const Match match = sample_of(row).run(shipped(row.recipe));
    ASSERT_TRUE(match) << row.url << " " << to_string(match.mismatch);
    EXPECT_EQ(match.plan->account, row.account);
    EXPECT_EQ(rendered(*match.plan), row.sent) << row.recipe;
    seen.insert(row.recipe);
  }
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().extension() == ".json" && shipped(entry.path().stem().string()).mode == Mode::wire)
      EXPECT_EQ(seen.count(entry.path().stem().string()), 1U) << entry.path();
}

// The blocks of docs/RECIPES.md: the recipes parse, and the request there becomes the body there.
TEST(Shipped, TheDocumentsExamples) {
  const std::string text = file(POPVAULT_SOURCE_DIR "/docs/RECIPES.md");
  std::vector<std::string> recipes, plain;
  for (std::size_t at = 0; (at = text.find("\n```", at)) != text.npos;) {
    const std::size_t start = text.find('\n', at + 1) + 1, end = text.find("\n```", start);
    ASSERT_NE(end, text.npos);
    (text.compare(at + 4, 4, "json") == 0 ? recipes : plain).push_back(text.substr(start, end - start));
    at = end + 4;
  }
  ASSERT_EQ(recipes.size(), 2U);
  ASSERT_EQ(plain.size(), 2U);
  recipe_of(recipes[1]);
  Sample sample;
  sample.url = "https://api.pay.example/v1/tokens";
  sample.body = plain[0].substr(plain[0].find("\n\n") + 2);
  const Match match = sample.run(recipe_of(recipes[0]));
  ASSERT_TRUE(match) << to_string(match.mismatch);
  EXPECT_EQ(rendered(*match.plan), plain[1]);
}

TEST(Shipped, NothingWithoutAPinnedAccount) {
  for (const Row& row : kRows) {
    Sample sample = sample_of(row);
    sample.accounts = {"another"};
    EXPECT_EQ(sample.run(shipped(row.recipe)).mismatch, Mismatch::account_mismatch) << row.url;
  }
}

}  // namespace
