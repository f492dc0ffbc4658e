// What the client scripts share: orders come in as lines of JSON, {"do", ...}; each is answered with one line, {"value"} or {"error"}.
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

// The packages are in a folder beside the build, not beside this file.
const require = createRequire(path.join(process.argv[2], 'package.json'));
export const load = name => import(require.resolve(name)).then(module => module.default ?? module);

export async function serve(verbs) {
  process.on('unhandledRejection', error => console.error('unhandled:', error));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: verb, ...order } = JSON.parse(line);
    let answer;
    try {
      answer = { value: (await verbs[verb](order)) ?? null };
    } catch (error) {
      answer = { error: String(error).slice(0, 2000) };
    }
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}

export async function until(check, what, timeout = 40000) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error('timed out: ' + what);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}
