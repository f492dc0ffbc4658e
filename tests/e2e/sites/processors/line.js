// One frame with number, date and code on one line; the key is a header of its own.
const processor = {
  fields: {
    number: {attributes: {name: "cardnumber", autocomplete: "cc-number", inputmode: "numeric", placeholder: "Card number", style: "width:55%"}},
    expiry: {attributes: {name: "exp-date", autocomplete: "cc-exp", inputmode: "numeric", placeholder: "MM / YY", style: "width:22%"}},
    cvc: {attributes: {name: "cvc", autocomplete: "cc-csc", inputmode: "numeric", placeholder: "CVC", style: "width:15%"}},
  },
  request: (card, account) => ({
    path: "/v1/sources", headers: {"Content-Type": "application/json", "X-Public-Key": account},
    body: JSON.stringify({source: {object: "card", number: card.number, expiry: card.month + "/" + card.year.slice(2), cvc: card.cvc}}),
  }),
};
