// Confirms an order with a payment source; expiry is YYYY-MM.
const processor = {
  fields: {
    number: {attributes: {id: "number", name: "number", type: "tel", autocomplete: "cc-number", placeholder: "Card number"}},
    expiry: {between: "/", attributes: {id: "expiration", name: "expiration", type: "tel", autocomplete: "cc-exp", placeholder: "MM/YY"}},
    cvc: {attributes: {id: "cvv", name: "cvv", type: "tel", autocomplete: "cc-csc", placeholder: "CVV"}},
  },
  request: (card, account) => ({
    path: "/v2/checkout/orders/ORDER1/confirm-payment-source",
    headers: {"Content-Type": "application/json", "Authorization": "Bearer token-1", "X-Client-Metadata-Id": "meta-1"},
    body: JSON.stringify({payment_source: {card: {number: digits(card.number), expiry: card.year + "-" + card.month,
                                                  security_code: card.cvc}},
                          application_context: {client_id: account}}),
  }),
};
