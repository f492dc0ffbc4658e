// playwright-core, connectOverCDP.   node playwright.mjs FOLDER, see orders.mjs
import { load, serve } from './orders.mjs';

const { chromium } = await load('playwright-core');
const WAIT = { timeout: 40000 };
let browser, context, page;

const frame = part => page.frames().find(one => one.url().includes(part));

await serve({
  async connect({ endpoint }) {
    browser = await chromium.connectOverCDP(endpoint);
    context = browser.contexts()[0];
    context.setDefaultTimeout(WAIT.timeout);
    return browser.version();
  },
  disconnect: () => browser.close(), // hangs up; the browser stays
  async tabs() { return context.pages().map(one => one.url()); },
  async open({ url }) {
    page = await context.newPage();
    await page.goto(url);
  },
  async pick({ url }) { page = context.pages().find(one => one.url() === url); return Boolean(page); },
  async popup({ selector }) {
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.click(selector)]);
    await popup.waitForLoadState();
    page = popup;
    return page.url();
  },
  front: () => page.bringToFront(), // a browser does not paint tabs in the background
  close: () => page.close(),
  goto: ({ url }) => page.goto(url).then(answer => answer.status()),
  back: () => page.goBack().then(() => page.url()),
  reload: () => page.reload().then(() => page.url()),
  title: () => page.title(),
  fill: ({ selector, value }) => page.fill(selector, value),
  type: ({ selector, value }) => page.locator(selector).pressSequentially(value),
  click: ({ selector }) => page.click(selector),
  press: ({ key }) => page.keyboard.press(key),
  select: ({ selector, value }) => page.selectOption(selector, value),
  wait: ({ selector, text }) => page.locator(selector, { hasText: text }).waitFor(),
  text: ({ selector }) => page.textContent(selector),
  value: ({ selector }) => page.inputValue(selector),
  evaluate: ({ script }) => page.evaluate(script),
  // A context of its own, with its cookies; a size; what was printed on the console; an answer to a dialog.
  async apart({ url }) {
    const own = await browser.newContext({ viewport: { width: 640, height: 480 } });
    try {
      const there = await own.newPage();
      const said = [];
      there.on('console', message => said.push(message.text()));
      there.on('dialog', dialog => dialog.accept('yes'));
      await there.goto(url);
      await own.addCookies([{ name: 'taste', value: 'plum', url }]);
      const cookies = (await own.cookies(url)).map(one => one.name + '=' + one.value);
      await there.reload();
      const answer = await there.evaluate('console.log("hello"), prompt("well?") + innerWidth + document.cookie');
      await there.waitForTimeout(50);
      return { answer, cookies, said };
    } finally {
      await own.close();
    }
  },
  cookie: () => page.evaluate('document.cookie'),
  screenshot: async ({ full }) => (await page.screenshot({ fullPage: Boolean(full) })).toString('base64'),
  snapshot: () => page.ariaSnapshot(),
  pageSnapshot: () => page.ariaSnapshot({ mode: 'ai' }),
  frameText: async ({ part, selector }) => frame(part).textContent(selector, { timeout: 5000 }),
  frameFill: async ({ part, selector, value }) => frame(part).fill(selector, value, { timeout: 5000 }),
  frameEvaluate: async ({ part, script }) => await Promise.race([frame(part).evaluate(script),
    new Promise((_, fail) => setTimeout(() => fail(new Error('no answer')), 5000))]),
});
