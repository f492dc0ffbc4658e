// JSON with the public key in the Authorization header.
const processor = {
  fields: {
    number: {attributes: {id: "checkout-frames-card-number", name: "checkout-frames-card-number", type: "tel", autocomplete: "cc-number",
                          placeholder: "Card number"}},
    expiry: {between: "/", attributes: {id: "checkout-frames-expiry-date", name: "checkout-frames-expiry-date", type: "tel",
                                        autocomplete: "cc-exp", placeholder: "MM/YY"}},
    cvc: {attributes: {id: "checkout-frames-cvv", name: "checkout-frames-cvv", type: "tel", autocomplete: "cc-csc", placeholder: "CVV"}},
  },
  request: (card, account) => ({
    path: "/tokens", headers: {"Content-Type": "application/json", "Authorization": account},
    body: JSON.stringify({type: "card", number: digits(card.number), expiry_month: Number(card.month), expiry_year: Number(card.year),
                          cvv: card.cvc, preferred_scheme: "", requestSource: "JS"}),
  }),
};
