// What card forms do to their inputs. Shared by the pages and the processors' frames.
const digits = text => text.replace(/\D/g, "");
const group = text => digits(text).slice(0, 19).replace(/(.{4})(?=.)/g, "$1 ");
const slash = (text, between) => {
  const d = digits(text).slice(0, 6);
  return d.length > 2 ? d.slice(0, 2) + between + d.slice(2) : d;
};
// "12/34", "12 / 2034", "1234" -> ["12", "2034"]
const expiry = text => {
  const d = digits(text);
  const year = d.slice(2);
  return [d.slice(0, 2), year.length === 2 ? "20" + year : year];
};
const luhn = text => {
  const d = [...digits(text)].reverse().map(Number);
  const sum = d.reduce((all, n, i) => all + (i % 2 ? (n * 2 > 9 ? n * 2 - 9 : n * 2) : n), 0);
  return d.length >= 12 && sum % 10 === 0;
};
const query = new URLSearchParams(location.search);
const byId = id => document.getElementById(id);
const encode = pairs => Object.entries(pairs).map(([k, v]) => encodeURIComponent(k) + "=" + encodeURIComponent(v)).join("&");
async function post(url, headers, body) {
  const answer = await fetch(url, {method: "POST", headers: headers, body: body});
  const text = await answer.text();
  try { return {status: answer.status, ...JSON.parse(text)}; } catch (e) { return {status: answer.status, text: text}; }
}
