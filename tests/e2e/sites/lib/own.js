// Merchants whose own page holds the card fields and hands them to a processor's API: one cross-origin JSON request.
const psp = "@direct@", key = "pk_test_direct";
async function tokenise(number, month, year, code) {
  const result = await post(psp + "/tokens", {"Content-Type": "application/json"}, JSON.stringify(
    {publishable_key: key, card: {number: number, exp_month: month, exp_year: year, cvc: code}}));
  window.outcome = result;
  byId("result").textContent = JSON.stringify(result);
}
