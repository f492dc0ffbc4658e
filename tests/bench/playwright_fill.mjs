// Stock Playwright on a browser that runs already: connect, fill, and say how long it took.
//
//   node playwright_fill.mjs FOLDER ENDPOINT      FOLDER has node_modules/playwright-core
//
// One order a line, {"kind","url","values","frame"}; one answer a line, {"ms"} or {"error"}. `frame` is the part of a frame's
// address that says which field it holds, with NAME for the field.
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const [folder, endpoint] = process.argv.slice(2);
const { chromium } = createRequire(path.join(folder, 'package.json'))('playwright-core');

const TOKENS = { number: 'cc-number', expiry: 'cc-exp', cvc: 'cc-csc', holder: 'cc-name' };

async function fill({ kind, url, values, frame }) {
  const begin = performance.now();
  const browser = await chromium.connectOverCDP(endpoint);
  try {
    const page = browser.contexts().flatMap(context => context.pages()).find(one => one.url() === url);
    for (const [name, value] of Object.entries(values)) {
      if (kind === 'frames') await page.frameLocator(`iframe[src*="${frame.replace('NAME', name)}"]`).locator('input').fill(value);
      else await page.locator(`[autocomplete=${TOKENS[name]}]`).fill(value);
    }
    return performance.now() - begin;
  } finally {
    await browser.close(); // hangs up; the browser stays
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ ms: await fill(JSON.parse(line)) }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error).slice(0, 500) }));
  }
}
process.exit(0);
