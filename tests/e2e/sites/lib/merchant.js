// The merchant's side of a hosted-fields library: puts frames where the page has <div data-mount="NAME">.
const there = new Set();
let frames = [], mounted = 0;
function mount(psp, account, layout) {
  for (const [place, fields, attributes] of layout) {
    const frame = document.createElement("iframe");
    for (const [key, value] of Object.entries(attributes)) frame.setAttribute(key, value);
    frame.src = psp + "/frame?" + encode({fields: fields, shop: location.origin, account: account,
                                          ...(attributes["data-post"] ? {post: "1"} : {})});
    document.querySelector("[data-mount=" + place + "]").append(frame);
    frames.push(frame);
  }
  mounted += layout.length;
}
addEventListener("message", event => {
  const message = event.data;
  if (message.kind === "ready") { there.add(String(message.fields)); window.ready = mounted > 0 && there.size >= mounted; }
  if (message.kind === "outcome") done(message.result);
});
function done(result) {
  window.outcome = result;
  byId("result").textContent = JSON.stringify(result);
}
function payFrames(more) {
  for (const frame of frames) frame.contentWindow.postMessage({kind: "pay", card: more || {}}, "*");
}
