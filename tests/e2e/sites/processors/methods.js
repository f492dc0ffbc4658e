// Number and code in frames; month, year and name come from the merchant's page.
const processor = {
  fields: {
    number: {plain: true, attributes: {id: "card_number", name: "card_number", type: "tel", autocomplete: "cc-number", placeholder: "Card Number",
                          "aria-label": "Card Number"}},
    cvc: {attributes: {id: "cvv", name: "cvv", type: "tel", autocomplete: "cc-csc", placeholder: "CVV", "aria-label": "CVV"}},
  },
  request: (card, account) => ({
    path: "/v1/payment_methods/restricted.json", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({environment_key: account, payment_method: {credit_card: {
      number: card.number, verification_value: card.cvc, full_name: card.holder, month: card.month, year: card.year}}}),
  }),
};
