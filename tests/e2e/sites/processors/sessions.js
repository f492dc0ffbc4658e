// Four frames, of number, name, expiry and verification value; a session of the vault is asked for.
const processor = {
  fields: {
    number: {attributes: {id: "number", name: "number", autocomplete: "cc-number", inputmode: "numeric", placeholder: "Card number", "aria-required": "true"}},
    holder: {attributes: {id: "name", name: "name", autocomplete: "cc-name", placeholder: "Name on card"}},
    expiry: {attributes: {id: "expiry", name: "expiry", autocomplete: "cc-exp", inputmode: "numeric", placeholder: "Expiration date (MM / YY)"}},
    cvc: {attributes: {id: "verification_value", name: "verification_value", autocomplete: "cc-csc", inputmode: "numeric", placeholder: "Security code"}},
  },
  request: (card, account) => ({
    path: "/sessions", headers: {"Content-Type": "application/json", "Accept": "application/json"},
    body: JSON.stringify({credit_card: {number: card.number, month: Number(card.month), year: Number(card.year),
                                        verification_value: card.cvc, start_month: null, start_year: null, issue_number: "",
                                        name: card.holder},
                          payment_session_scope: account}),
  }),
};
