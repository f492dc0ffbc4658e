// Form-encoded card[...] with a publishable key; posted by a controller frame without fields.
const processor = {
  fields: {
    number: {attributes: {name: "cardnumber", autocomplete: "cc-number", inputmode: "numeric", placeholder: "1234 1234 1234 1234",
                          "aria-label": "Credit or debit card number", autocorrect: "off", spellcheck: "false"}},
    expiry: {attributes: {name: "exp-date", autocomplete: "cc-exp", inputmode: "numeric", placeholder: "MM / YY",
                          "aria-label": "Credit or debit card expiration date"}},
    cvc: {attributes: {name: "cvc", autocomplete: "cc-csc", inputmode: "numeric", placeholder: "CVC",
                       "aria-label": "Credit or debit card CVC/CVV"}},
  },
  request: (card, account) => ({
    path: "/v1/tokens", headers: {"Content-Type": "application/x-www-form-urlencoded"},
    body: encode({"card[number]": card.number, "card[cvc]": card.cvc, "card[exp_month]": card.month,
                  "card[exp_year]": card.year.slice(2), guid: "guid-1", muid: "muid-1", sid: "sid-1",
                  payment_user_agent: "elements/1; split", time_on_page: "31415", key: account}),
  }),
};
