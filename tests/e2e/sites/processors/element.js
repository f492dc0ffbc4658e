// One frame with everything; the intent is confirmed with payment_method_data.
const processor = {
  fields: {
    number: {label: "Card number", attributes: {id: "Field-numberInput", name: "number", autocomplete: "billing cc-number",
                                                inputmode: "numeric", placeholder: "1234 1234 1234 1234", "aria-required": "true"}},
    expiry: {label: "Expiration date", attributes: {id: "Field-expiryInput", name: "expiry", autocomplete: "billing cc-exp",
                                                    placeholder: "MM / YY", "aria-required": "true"}},
    cvc: {label: "Security code", attributes: {id: "Field-cvcInput", name: "cvc", autocomplete: "billing cc-csc", placeholder: "CVC"}},
    country: {label: "Country", options: [["DE", "Germany"], ["US", "United States"]],
              attributes: {id: "Field-countryInput", name: "country", autocomplete: "billing country"}},
  },
  request: (card, account) => ({
    path: "/v1/payment_intents/pi_test1/confirm", headers: {"Content-Type": "application/x-www-form-urlencoded"},
    body: encode({return_url: card.return_url || "", "payment_method_data[type]": "card",
                  "payment_method_data[card][number]": card.number, "payment_method_data[card][cvc]": card.cvc,
                  "payment_method_data[card][exp_year]": card.year.slice(2), "payment_method_data[card][exp_month]": card.month,
                  "payment_method_data[billing_details][address][country]": card.country || "", key: account,
                  client_secret: "pi_test1_secret_1"}),
  }),
};
