// GraphQL: the card stands in variables.input.creditCard; the merchant is named by the authorization header.
const processor = {
  fields: {
    number: {plain: true, attributes: {id: "credit-card-number", name: "credit-card-number", class: "number", type: "tel", pattern: "\\d*",
                          autocomplete: "cc-number", maxlength: "22", placeholder: "4111 1111 1111 1111"}},
    expiry: {between: " / ", attributes: {id: "expiration", name: "expiration", type: "tel", autocomplete: "cc-exp", maxlength: "9", placeholder: "MM/YYYY"}},
    cvc: {attributes: {id: "cvv", name: "cvv", type: "tel", autocomplete: "cc-csc", maxlength: "4", placeholder: "123"}},
  },
  request: (card, account) => ({
    path: "/graphql", headers: {"Content-Type": "application/json", "Authorization": "Bearer " + account, "X-Api-Version": "2018-05-10"},
    body: JSON.stringify({
      clientSdkMetadata: {source: "client", integration: "custom", sessionId: "session-1"},
      query: "mutation TokenizeCreditCard($input: TokenizeCreditCardInput!) { tokenizeCreditCard(input: $input) { token } }",
      variables: {input: {creditCard: {number: card.number, expirationMonth: card.month, expirationYear: card.year, cvv: card.cvc},
                          options: {validate: false}}},
      operationName: "TokenizeCreditCard"}),
  }),
};
