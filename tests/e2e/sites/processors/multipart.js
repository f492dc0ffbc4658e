// multipart/form-data, as pages post that hand a FormData to fetch.
const processor = {
  fields: {
    number: {attributes: {id: "pan", name: "pan", autocomplete: "cc-number", inputmode: "numeric", placeholder: "Card number"}},
    month: {options: [["", "Month"], ...[...Array(12).keys()].map(i => [String(i + 1).padStart(2, "0"), String(i + 1).padStart(2, "0")])],
            attributes: {id: "month", name: "month", autocomplete: "cc-exp-month", "aria-label": "Month"}},
    year: {options: [["", "Year"], ...[...Array(14).keys()].map(i => [String(2026 + i), String(2026 + i)])],
           attributes: {id: "year", name: "year", autocomplete: "cc-exp-year", "aria-label": "Year"}},
    cvc: {attributes: {id: "code", name: "code", type: "password", autocomplete: "cc-csc", placeholder: "Code"}},
  },
  request: (card, account) => {
    const form = new FormData();
    for (const [name, value] of [["merchant", account], ["pan", digits(card.number)], ["exp_month", card.month],
                                 ["exp_year", card.year], ["code", card.cvc]]) form.append(name, value);
    return {path: "/vault/store", headers: {}, body: form};
  },
};
