// A processor's frame: makes its inputs from `processor.fields`, formats them, and tells the page that embeds it what
// is complete, never what is in it. The frame with post=1 collects its siblings of the same origin and posts.
const wanted = (query.get("fields") || "").split(",").filter(Boolean);
const shop = query.get("shop");
const tell = message => (window.opener || parent).postMessage(message, shop);

for (const name of wanted) {
  const field = processor.fields[name];
  const label = document.createElement("label");
  label.textContent = field.label || "";
  let input;
  if (field.options) {
    input = document.createElement("select");
    for (const [value, text] of field.options) input.add(new Option(text, value));
  } else {
    input = document.createElement("input");
    input.type = field.type || "text";
  }
  for (const [key, value] of Object.entries(field.attributes)) input.setAttribute(key, value);
  input.dataset.part = name;
  const tidy = () => {
    if (name === "number") input.value = field.plain ? digits(input.value) : group(input.value);
    if (name === "expiry") input.value = slash(input.value, field.between || " / ");
    if (name === "cvc") input.value = digits(input.value).slice(0, 4);
    const ok = name === "number" ? luhn(input.value) : input.value !== "";
    input.setAttribute("aria-invalid", String(!ok));
    tell({kind: "state", field: name, complete: ok});
  };
  input.addEventListener(field.on || "input", tidy);
  document.body.append(label, input);
}

function parts() {
  const all = {};
  for (const input of document.querySelectorAll("[data-part]")) all[input.dataset.part] = input.value;
  return all;
}

function collect() {
  let all = parts();
  for (let i = 0; i < parent.frames.length; ++i) {
    try { if (parent.frames[i] !== window && parent.frames[i].parts) all = {...parent.frames[i].parts(), ...all}; } catch (e) { }
  }
  if (all.expiry) [all.month, all.year] = expiry(all.expiry);
  return all;
}

async function pay(more) {
  const card = {...collect(), ...more};
  const request = await processor.request(card, query.get("account"));
  return post(request.path, request.headers, request.body);
}

addEventListener("message", async event => {
  if (event.origin !== shop || event.data.kind !== "pay" || !query.get("post")) return;
  const result = await pay(event.data.card || {});
  tell({kind: "outcome", result: result});
});
tell({kind: "ready", fields: wanted});
