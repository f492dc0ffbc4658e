// The card form inside another provider's frame.
const processor = {
  fields: {
    number: {label: "Card number", attributes: {id: "cardNumber", name: "cardNumber", autocomplete: "cc-number", inputmode: "numeric"}},
    expiry: {label: "MM/YY", between: "/", attributes: {id: "expire", name: "expire", autocomplete: "cc-exp", inputmode: "numeric"}},
    cvc: {label: "CVC", attributes: {id: "securityCode", name: "securityCode", autocomplete: "cc-csc", inputmode: "numeric"}},
  },
  request: (card, account) => ({
    path: "/cards/tokens", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({merchant: account, number: digits(card.number), expiryMonth: card.month, expiryYear: card.year.slice(2),
                          securityCode: card.cvc}),
  }),
};
