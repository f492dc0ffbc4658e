// chrome-remote-interface: bare CDP, on a connection to each page.   node remote_interface.mjs FOLDER, see orders.mjs
import { load, serve, until } from './orders.mjs';

const CDP = await load('chrome-remote-interface');
let where, browser, page;

const list = async () => (await CDP.List(where)).filter(one => one.type === 'page');

async function attach(id) {
  page = await CDP({ ...where, target: id });
  page.id = id;
  await page.Page.enable();
  await page.Runtime.enable();
  await page.DOM.enable();
}

async function evaluate(expression, extra = {}) {
  const answer = await page.Runtime.evaluate({ expression, returnByValue: true, awaitPromise: true, ...extra });
  if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
  return answer.result.value;
}

const quoted = JSON.stringify;
const ready = () => until(() => evaluate('document.readyState === "complete"').catch(() => false), 'the page loads');

async function middle(selector) {
  const { root } = await page.DOM.getDocument();
  const { nodeId } = await page.DOM.querySelector({ nodeId: root.nodeId, selector });
  if (!nodeId) throw new Error('no such element: ' + selector);
  await page.DOM.scrollIntoViewIfNeeded({ nodeId });
  const { model } = await page.DOM.getBoxModel({ nodeId });
  const [x1, y1, , , x2, y2] = model.content;
  return { nodeId, x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
}

async function click({ selector }) {
  const { x, y } = await middle(selector);
  for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased'])
    await page.Input.dispatchMouseEvent({ type, x, y, ...(type === 'mouseMoved' ? {} : { button: 'left', clickCount: 1 }) });
}

async function focus({ selector }) {
  await page.DOM.focus({ nodeId: (await middle(selector)).nodeId });
}

// A frame in another process has a target of its own.
async function inFrame(part, expression) {
  const { targetInfos } = await browser.Target.getTargets();
  const target = targetInfos.find(one => one.type === 'iframe' && one.url.includes(part));
  if (!target) throw new Error('no such frame: ' + part);
  const { sessionId } = await browser.Target.attachToTarget({ targetId: target.targetId, flatten: true });
  const answer = await browser.send('Runtime.evaluate', { expression, returnByValue: true }, sessionId);
  return answer.result.value;
}

await serve({
  async connect({ endpoint }) {
    const { hostname: host, port } = new URL(endpoint);
    where = { host, port: Number(port) };
    const version = await CDP.Version(where);
    browser = await CDP({ ...where, target: version.webSocketDebuggerUrl });
    await browser.Target.setDiscoverTargets({ discover: true });
    return version.Browser;
  },
  async disconnect() {
    if (page) await page.close();
    await browser.close();
  },
  tabs: async () => (await list()).map(one => one.url),
  async open({ url }) {
    const { targetId } = await browser.Target.createTarget({ url: 'about:blank' });
    await attach(targetId);
    await page.Page.navigate({ url });
    await page.Page.loadEventFired();
  },
  async pick({ url }) {
    const found = (await list()).find(one => one.url === url);
    if (found) await attach(found.id);
    return Boolean(found);
  },
  async popup({ selector }) {
    const opened = new Promise(resolve => browser.Target.targetCreated(({ targetInfo }) => {
      if (targetInfo.openerId === page.id) resolve(targetInfo.targetId);
    }));
    await click({ selector });
    await attach(await opened);
    await until(async () => await evaluate('location.href') !== 'about:blank', 'the popup leads somewhere');
    await ready();
    return evaluate('location.href');
  },
  front: () => page.Page.bringToFront().then(() => null), // a browser does not paint tabs in the background
  close: () => browser.Target.closeTarget({ targetId: page.id }).then(() => null),
  async goto({ url }) {
    const loaded = page.Page.loadEventFired();
    const { errorText } = await page.Page.navigate({ url });
    if (errorText) throw new Error(errorText);
    await loaded;
    return 200;
  },
  async back() {
    const { currentIndex, entries } = await page.Page.getNavigationHistory();
    await page.Page.navigateToHistoryEntry({ entryId: entries[currentIndex - 1].id });
    await until(() => evaluate(`location.href === ${quoted(entries[currentIndex - 1].url)}`).catch(() => false), 'back');
    await ready();
    return evaluate('location.href');
  },
  async reload() {
    const loaded = page.Page.loadEventFired();
    await page.Page.reload();
    await loaded;
    return evaluate('location.href');
  },
  title: () => evaluate('document.title'),
  async fill({ selector, value }) {
    await focus({ selector });
    await evaluate(`document.querySelector(${quoted(selector)}).select()`);
    await page.Input.insertText({ text: value });
  },
  async type({ selector, value }) {
    await focus({ selector });
    for (const text of value) {
      await page.Input.dispatchKeyEvent({ type: 'keyDown', text, key: text });
      await page.Input.dispatchKeyEvent({ type: 'keyUp', key: text });
    }
  },
  click,
  async press({ key }) {
    const code = { key, code: key, windowsVirtualKeyCode: 13 };
    await page.Input.dispatchKeyEvent({ type: 'keyDown', text: '\r', ...code });
    await page.Input.dispatchKeyEvent({ type: 'keyUp', ...code });
  },
  select: ({ selector, value }) => evaluate(`{ const s = document.querySelector(${quoted(selector)}); s.value = ${quoted(value)};
    s.dispatchEvent(new Event('change', { bubbles: true })); }`),
  wait: ({ selector, text }) => until(() => evaluate(
    `document.querySelector(${quoted(selector)})?.textContent.includes(${quoted(text)})`).catch(() => false), text).then(() => null),
  text: ({ selector }) => evaluate(`document.querySelector(${quoted(selector)}).textContent`),
  value: ({ selector }) => evaluate(`document.querySelector(${quoted(selector)}).value`),
  evaluate: ({ script }) => evaluate(script),
  screenshot: async () => (await page.Page.captureScreenshot({ format: 'png' })).data,
  snapshot: async () => JSON.stringify((await page.Accessibility.getFullAXTree()).nodes),
  pageSnapshot: async () => JSON.stringify(await page.DOMSnapshot.captureSnapshot({ computedStyles: [] })),
  frameText: ({ part, selector }) => inFrame(part, `document.querySelector(${quoted(selector)}).textContent`),
  frameFill: ({ part, selector, value }) => inFrame(part, `document.querySelector(${quoted(selector)}).value = ${quoted(value)}; null`),
  frameEvaluate: ({ part, script }) => inFrame(part, script),
});
