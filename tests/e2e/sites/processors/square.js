// One frame; JSON with the dates as numbers.
const processor = {
  fields: {
    number: {attributes: {id: "cardNumber", name: "cardNumber", autocomplete: "cc-number", inputmode: "numeric", placeholder: "Card number"}},
    expiry: {between: "/", attributes: {id: "expirationDate", name: "expirationDate", autocomplete: "cc-exp", placeholder: "MM/YY"}},
    cvc: {attributes: {id: "cvv", name: "cvv", autocomplete: "cc-csc", placeholder: "CVV"}},
    postal: {attributes: {id: "postalCode", name: "postalCode", autocomplete: "postal-code", value: "94103", placeholder: "ZIP"}},
  },
  request: (card, account) => ({
    path: "/v2/card-nonce", headers: {"Content-Type": "application/json; charset=utf-8"},
    body: JSON.stringify({client_id: account, location_id: "L1", session_id: "session-1", website_url: shop,
                          card_data: {number: digits(card.number), exp_month: Number(card.month), exp_year: Number(card.year),
                                      cvv: card.cvc, billing_postal_code: card.postal || ""}}),
  }),
};
