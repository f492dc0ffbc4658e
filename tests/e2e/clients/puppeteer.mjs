// puppeteer-core, connect.   node puppeteer.mjs FOLDER, see orders.mjs
import { load, serve } from './orders.mjs';

const loaded = await load('puppeteer-core');
const puppeteer = loaded.connect ? loaded : loaded.default;
let browser, page;

const frame = part => page.frames().find(one => one.url().includes(part));
const soon = promise => Promise.race([promise, new Promise((_, fail) => setTimeout(() => fail(new Error('no answer')), 5000))]);
const inFrame = (part, script, ...values) => soon(frame(part).evaluate(script, ...values));

await serve({
  async connect({ endpoint }) {
    browser = await puppeteer.connect({ browserURL: endpoint, defaultViewport: null });
    return browser.version();
  },
  disconnect: () => browser.disconnect(),
  async tabs() { return (await browser.pages()).map(one => one.url()); },
  async open({ url }) {
    page = await browser.newPage();
    page.setDefaultTimeout(40000);
    await page.goto(url);
  },
  async pick({ url }) { page = (await browser.pages()).find(one => one.url() === url); return Boolean(page); },
  async popup({ selector }) {
    const opened = new Promise(resolve => page.once('popup', resolve));
    await page.click(selector);
    page = await opened;
    await page.waitForFunction('document.readyState === "complete"');
    return page.url();
  },
  front: () => page.bringToFront(), // a browser does not paint tabs in the background
  close: () => page.close(),
  goto: ({ url }) => page.goto(url).then(answer => answer.status()),
  back: () => page.goBack().then(() => page.url()),
  reload: () => page.reload().then(() => page.url()),
  title: () => page.title(),
  fill: ({ selector, value }) => page.locator(selector).fill(value),
  type: ({ selector, value }) => page.type(selector, value),
  click: ({ selector }) => page.locator(selector).click(),
  press: ({ key }) => page.keyboard.press(key),
  select: ({ selector, value }) => page.select(selector, value),
  wait: ({ selector, text }) => page.waitForFunction((s, t) => document.querySelector(s)?.textContent.includes(t), {}, selector, text)
    .then(() => null),
  text: ({ selector }) => page.$eval(selector, one => one.textContent),
  value: ({ selector }) => page.$eval(selector, one => one.value),
  evaluate: ({ script }) => page.evaluate(script),
  async apart({ url }) {
    const own = await browser.createBrowserContext();
    try {
      const there = await own.newPage();
      const said = [];
      there.on('console', message => said.push(message.text()));
      there.on('dialog', dialog => dialog.accept('yes'));
      await there.setViewport({ width: 640, height: 480 });
      await there.goto(url);
      await own.setCookie({ name: 'taste', value: 'plum', domain: new URL(url).hostname });
      const cookies = (await own.cookies()).map(one => one.name + '=' + one.value);
      await there.reload();
      const answer = await there.evaluate('console.log("hello"), prompt("well?") + innerWidth + document.cookie');
      await new Promise(resolve => setTimeout(resolve, 50));
      return { answer, cookies, said };
    } finally {
      await own.close();
    }
  },
  cookie: () => page.evaluate('document.cookie'),
  screenshot: ({ full }) => page.screenshot({ encoding: 'base64', fullPage: Boolean(full) }),
  snapshot: async () => JSON.stringify(await page.accessibility.snapshot()),
  pageSnapshot: async () => JSON.stringify(await page.accessibility.snapshot({ includeIframes: true })),
  frameText: ({ part, selector }) => inFrame(part, s => document.querySelector(s).textContent, selector),
  frameFill: ({ part, selector, value }) => inFrame(part, (s, v) => { document.querySelector(s).value = v; }, selector, value),
  frameEvaluate: ({ part, script }) => inFrame(part, script),
});
