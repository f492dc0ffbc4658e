// One frame for the whole card; form-encoded with flat names.
const processor = {
  fields: {
    number: {attributes: {name: "number", type: "tel", autocomplete: "cc-number", placeholder: "Card number"}},
    expiry: {between: "/", attributes: {name: "expiry", type: "tel", autocomplete: "cc-exp", placeholder: "MM/YY"}},
    cvc: {attributes: {name: "cvv", type: "tel", autocomplete: "cc-csc", placeholder: "CVV"}},
  },
  request: (card, account) => ({
    path: "/js/v1/token", headers: {"Content-Type": "application/x-www-form-urlencoded"},
    body: encode({first_name: "Ada", last_name: "Lovelace", number: digits(card.number), month: card.month, year: card.year, cvv: card.cvc,
                  version: "4.9.1", key: account, deviceId: "device-1", sessionId: "session-1"}),
  }),
};
