// Holder, number, date and code in a frame each; a card token is asked for.
const processor = {
  fields: {
    holder: {attributes: {id: "cardHolder", name: "cardHolder", autocomplete: "cc-name", placeholder: "Name on card"}},
    number: {attributes: {id: "cardNumber", name: "cardNumber", type: "tel", autocomplete: "cc-number", placeholder: "1234 5678 9012 3456"}},
    expiry: {between: " / ", attributes: {id: "expiryDate", name: "expiryDate", type: "tel", autocomplete: "cc-exp", placeholder: "MM / YY"}},
    cvc: {attributes: {id: "verificationCode", name: "verificationCode", type: "tel", autocomplete: "cc-csc", placeholder: "123"}},
  },
  request: (card, account) => ({
    path: "/v1/card-tokens", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({cardHolder: card.holder, cardNumber: digits(card.number), cardCvv: card.cvc,
                          cardExpiryDate: card.month + card.year.slice(2), locale: "nl_NL", profileToken: account, testmode: true}),
  }),
};
