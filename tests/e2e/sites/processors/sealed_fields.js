// Frames that encrypt each field and hand the result to the page, which posts it to the merchant.
const processor = {
  fields: {
    number: {attributes: {id: "encryptedCardNumber", "data-fieldtype": "encryptedCardNumber", type: "text", inputmode: "numeric",
                          autocomplete: "cc-number", "aria-label": "Card number", "aria-required": "true"}},
    expiry: {between: "/", attributes: {id: "encryptedExpiryDate", "data-fieldtype": "encryptedExpiryDate", inputmode: "numeric",
                                        autocomplete: "cc-exp", "aria-label": "Expiry date", placeholder: "MM/YY"}},
    cvc: {attributes: {id: "encryptedSecurityCode", "data-fieldtype": "encryptedSecurityCode", inputmode: "numeric",
                       autocomplete: "cc-csc", "aria-label": "Security code"}},
  },
  request: async card => ({
    path: shop + "/payments", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({paymentMethod: {type: "scheme", encryptedCardNumber: await seal(digits(card.number)),
                                          encryptedExpiryMonth: await seal(card.month), encryptedExpiryYear: await seal(card.year),
                                          encryptedSecurityCode: await seal(card.cvc)}}),
  }),
};
