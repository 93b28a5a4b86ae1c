// The desk every counterpart sits at. The test that starts one writes its settings as the first line of
// standard input, hears one line {"ready": …} back, and then asks and is answered in JSON, a line each.
// When the test goes away, standard input ends, and so does the counterpart.
import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** The settings, once the first line has arrived. */
export const settings = new Promise((resolve) => lines.once('line', (line) => resolve(JSON.parse(line))));

/**
 * Announces `facts` and answers every further line `{"do": name, …}` by `answers[name](request)`:
 * `{"ok": …}`, or `{"error": {code, error, error_description, message}}`.
 */
export function open(facts, answers = {}) {
  let turn = Promise.resolve();
  lines.on('line', (line) => {
    turn = turn.then(() => answer(JSON.parse(line), answers)).then(say);
  });
  say({ ready: facts });
}

async function answer(request, answers) {
  try {
    if (!answers[request.do]) throw new Error(`nobody here knows how to "${request.do}"`);
    return { ok: (await answers[request.do](request)) ?? null };
  } catch (error) {
    return { error: explain(error) };
  }
}

/** What a failure says of itself, for an assertion to read. */
export function explain(error) {
  const { code, error: name, error_description, message, status } = error;
  return { code, error: name, error_description, message, status, cause: error.cause?.message };
}

/** Listens on loopback; `port` 0 is any free one. Returns `http://127.0.0.1:…` for `host` as asked. */
export async function listen(server, port = 0, host = '127.0.0.1') {
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return `http://${host}:${server.address().port}`;
}

/** Text, safe inside HTML. */
export const escape = (text) =>
  String(text ?? '').replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** A whole page around `body`. */
export const page = (title, body) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title></head>` +
  `<body><main><h1>${escape(title)}</h1>${body}</main></body></html>`;
