// Gatecheck's adapter for clients that run in a browser: it opens a page in Chromium, hands it each line of standard input, and
// prints the lines that it answers. It needs Node.js and Chromium, and no package.
//
//   node gatecheck-browser.mjs [page.html]
//
// The folder in which it is started is served at http://127.0.0.1 and a free port, to nobody else. A module of the page
// calls `serve` of gatecheck-adapter.mjs, as page.js does. What the page prints on its console goes to standard error.
//
// The browser is the first of those below that is on the path, or the one that the environment names by CHROMIUM. It is gone
// when this program is, however that ends, and its files are.

import { spawn } from 'node:child_process';
import { accessSync, constants, createReadStream, mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { constants as system, tmpdir } from 'node:os';
import { delimiter, extname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';

// Each case starts a browser of its own, and a headless shell starts in a third of the time that a whole browser takes.
const BROWSERS = [
  'chromium-headless-shell',
  'chrome-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
];
/** How long the page may take until it calls `serve`, in milliseconds. */
const START = 60_000;
/** How long the page may take to leave when its input has ended, and the browser to end, in milliseconds each. */
const END = 2000;
/** How many of its last lines a browser that failed is quoted with. */
const LAST_WORDS = 20;

const FLAGS = [
  '--headless=new',
  '--remote-debugging-pipe',
  // The page is the only one, and nobody looks at it: its timers are as exact as if somebody did.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  // What a start need not wait for, and nobody else shall hear of.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-extensions',
  '--disable-gpu',
  '--disable-sync',
  '--no-first-run',
  // As root Chromium starts without its sandbox, or not at all. The page is the user's own.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** What stands for standard input and output in the page. Its source is evaluated there, before any script of the page. */
function pageHost() {
  globalThis.gatecheckHost = {
    print: globalThis.gatecheckPrint,
    read(take, end) {
      Object.assign(this, { take, end });
      globalThis.gatecheckReady('');
    },
    leave: (after) => setTimeout(globalThis.gatecheckLeave, after, ''),
  };
  // A script that cannot be loaded, or that imports what cannot be, throws nothing.
  const lost = ({ target }) => target instanceof HTMLScriptElement && globalThis.gatecheckLost(target.src);
  addEventListener('error', lost, true);
}

/** The browser, and its only page. It speaks the DevTools protocol: JSON, each message ended by a zero byte. */
class Browser {
  #process;
  #lastWords = [];
  #session;
  #number = 0;
  #answers = new Map();
  #events;

  /** `events` has what is called by an event of the page, by its name, and `lost`, which is told of the browser's end. */
  constructor(program, events) {
    this.#events = events;
    const profile = mkdtempSync(join(tmpdir(), 'gatecheck-browser-'));
    // Whoever is killed removes no files. This one waits, in a session of its own, until nobody holds the other end of its
    // input: this program does, and the browser.
    const keeper = spawn('sh', ['-c', 'read -r _; rm -rf -- "$0"', profile], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    keeper.unref();
    // The browser is of this program's process group, and is killed with it. Left alone by its end, it sees its pipe closed,
    // and ends as well.
    this.#process = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', keeper.stdin],
      env: { ...process.env, TMPDIR: profile },
    });
    this.#process.on('error', (error) => events.lost(`cannot start ${program}: ${error.message}`));
    this.#process.on('exit', (code, signal) => {
      events.lost(`${program} ended: ${signal ?? `exit code ${code}`}\n${this.#lastWords.join('\n')}`);
    });
    // It complains of much that harms nobody, and is quoted only if it fails.
    createInterface({ input: this.#process.stderr }).on('line', (line) => {
      this.#lastWords = [...this.#lastWords, line].slice(-LAST_WORDS);
    });
    const [, , , requests, answers] = this.#process.stdio;
    requests.on('error', () => {}); // its end is told above
    let rest = '';
    answers.setEncoding('utf8').on('data', (chunk) => {
      const messages = (rest + chunk).split('\0');
      rest = messages.pop();
      for (const message of messages) this.#take(JSON.parse(message));
    });
  }

  /** Opens the page, with its bindings: functions that tell their only argument, a string. */
  async open(url, bindings) {
    const page = new Promise((resolve) => this.#answers.set('page', resolve));
    this.#ask('Target.setAutoAttach', {
      autoAttach: true,
      waitForDebuggerOnStart: false,
      flatten: true,
      filter: [{ type: 'page' }],
    });
    this.#session = await page;
    // Not `Log`: there the browser itself complains of each failed dial, with its URL and so with the token.
    const domains = ['Inspector', 'Page', 'Runtime'].map((domain) => this.#ask(`${domain}.enable`));
    const functions = bindings.map((name) => this.#ask('Runtime.addBinding', { name }));
    const source = `(${pageHost})()`;
    // The page is another process' affair as soon as it is navigated to, so all this is settled before.
    await Promise.all([...domains, ...functions, this.#ask('Page.addScriptToEvaluateOnNewDocument', { source })]);
    await this.#ask('Page.navigate', { url });
  }

  evaluate(expression) {
    return this.#ask('Runtime.evaluate', { expression });
  }

  /** Ends it, and waits until it is gone. */
  async end() {
    const { exitCode, signalCode, pid } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    const impatience = setTimeout(() => this.#process.kill('SIGKILL'), END);
    this.#process.stdio[3].end();
    await gone;
    clearTimeout(impatience);
  }

  #ask(method, params = {}) {
    const id = ++this.#number;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.#session })}\0`);
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  #take({ id, method, params, result, error }) {
    if (id !== undefined) {
      this.#answers.get(id)(result);
      this.#answers.delete(id);
      // A page that has gone answers nothing, which is told by an event.
      if (error && this.#session === undefined) this.#events.lost(`the browser refuses: ${error.message}`);
    } else if (method === 'Target.attachedToTarget') {
      this.#answers.get('page')?.(params.sessionId);
      this.#answers.delete('page');
    } else {
      this.#events[method]?.(params);
    }
  }
}

/** Serves the files of the folder. */
async function serveFiles(folder) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const file = createReadStream(join(folder, normalize(path)));
    file.on('open', () => {
      response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream' });
      file.pipe(response);
    });
    file.on('error', (error) => {
      // Every browser asks for an icon.
      if (path !== '/favicon.ico') console.error(`the page asks for ${path}: ${error.message}`);
      if (!response.headersSent) response.writeHead(404);
      response.end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}/`;
}

function findBrowser() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of BROWSERS) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // It may be in another folder.
      }
    }
  }
  console.error(`none of ${BROWSERS.join(', ')} is on the path; CHROMIUM may name one`);
  process.exit(1);
}

/** What the console was given, as it would show it. */
const shown = ({ value, description, unserializableValue, type }) =>
  typeof value === 'string' ? value : (unserializableValue ?? description ?? JSON.stringify(value) ?? type);

let browser;
let ending = false;
let ready = false;
let waiting = []; // what the page is told once it calls `serve`

async function end(code, reason) {
  if (ending) return;
  ending = true;
  if (reason !== undefined) console.error(reason);
  await browser?.end();
  process.exit(code);
}

function tell(expression) {
  if (ready) browser.evaluate(expression);
  else waiting.push(expression);
}

function failed(how) {
  if (ready) console.error(how);
  else end(1, `the page failed before it called \`serve\`: ${how}`);
}

const bindings = {
  gatecheckPrint: (line) => process.stdout.write(`${line}\n`),
  gatecheckReady() {
    if (ready) return end(1, 'the page was loaded anew, or calls `serve` twice');
    ready = true;
    for (const expression of waiting) tell(expression);
    waiting = [];
  },
  gatecheckLost: (script) => failed(`${script}, or what it imports, cannot be loaded`),
  gatecheckLeave: () => end(0),
};

browser = new Browser(findBrowser(), {
  lost: (reason) => end(1, reason),
  'Inspector.targetCrashed': () => end(1, 'the page crashed'),
  'Runtime.bindingCalled': ({ name, payload }) => bindings[name](payload),
  'Runtime.consoleAPICalled': ({ args }) => console.error(args.map(shown).join(' ')),
  'Runtime.exceptionThrown'({ exceptionDetails: { exception, text } }) {
    failed(exception ? shown(exception) : text);
  },
});

const input = createInterface({ input: process.stdin, crlfDelay: Infinity });
input.on('line', (line) => tell(`gatecheckHost.take(${JSON.stringify(line)})`));
input.on('close', () => {
  if (!ready) return end(0);
  tell('gatecheckHost.end()');
  setTimeout(() => end(1, 'the page does not leave'), END);
});
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) {
  process.on(signal, () => end(128 + system.signals[signal]));
}
setTimeout(() => ready || end(1, `the page did not call \`serve\` within ${START} ms`), START);

const page = new URL(process.argv[2] ?? 'page.html', await serveFiles(process.cwd()));
await browser.open(page.href, Object.keys(bindings));
