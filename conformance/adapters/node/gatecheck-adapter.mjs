// Gatecheck's adapter for clients in JavaScript: it answers requests on standard input, and reports on standard output,
// JSON objects, one a line. It judges nothing, and depends on nothing. In a page, which has neither, `gatecheckHost` of the
// page stands for both.
//
//   import { serve } from './gatecheck-adapter.mjs';
//   import { MyClient } from './client.mjs';
//
//   serve({ create: ({ url, token, options }) => new MyClient({ url, token, ...options }) });
//
// That is all for a class with `connect`, `disconnect`, `send`, `subscribe`, `unsubscribe`, `on`, `off` and `getStatus`
// that announces each status by an event `status`. What differs is told by these, all of them optional:
//
//   status         the name of the status event, or `(client, changed) => …` which calls `changed(status, old)` at each
//                  change. Without `old` it is the status before. An event may carry `(status, old)`, or an object
//                  with `status` (or `new`, `current`) and `old` (or `previous`).
//   on, off        `(client, name, listener) => …`, where listeners are registered in another way. What `on` returns, if it is
//                  a function, removes the listener.
//   tokenProvider  true where `create` hands `judge.token` to the client: an asynchronous function that is asked for the
//                  token of each dial. Cases about token providers are not run without it.
//   ops            `{ name: (client, request) => … }`, for any request of the protocol that needs more than a method of the
//                  same name, or that the class has no method for. What it returns, or resolves to, is the answer's value.
//                  It throws `Unsupported` for what the client cannot do.
//
// `create` gets `{ url, token, options, dialect }`, with what was not given left out, so that the client's own defaults count,
// and `judge`: `judge.token()` asks for a token, `judge.report(message, user)` tells what an error tracker would get,
// `judge.event(name, fields)` reports anything else of the protocol.
//
// A library without statuses and listeners, such as one that looks like a WebSocket, is made a client by `BareClient`.

const host = globalThis.gatecheckHost ?? standardStreams();

/** How long the client may take to say goodbye, in milliseconds. */
const GOODBYE = 200;

/** Thrown for what the client does not have: cases that need it are not run. */
export class Unsupported extends Error {}

/**
 * A client over a library that dials, comes back and carries messages, and has neither statuses nor listeners of its own. `dial`, `close`
 * and `send` are the library's, `dialsOnce` says that `dial` may be called at any time; the adapter calls `opened`, `received`, `failed`, `closed` and `ended` as the library says so.
 * A dial that is asked for is the status `connecting`; what has closed and was not told to is `reconnecting`.
 */
export class BareClient {
  #library;
  #listeners = new Map();
  #status = 'disconnected';

  constructor(library) {
    this.#library = library;
  }

  /** One over what looks like a WebSocket, is made closed, and carries JSON; `dial` opens it, and opens it again. */
  static over(socket, dial) {
    const send = (message) => void socket.send(JSON.stringify(message));
    const client = new BareClient({ dial, close: () => socket.close(1000), send });
    socket.addEventListener('open', () => client.opened());
    socket.addEventListener('message', ({ data }) => client.received(json(data)));
    socket.addEventListener('error', ({ message }) => client.failed(message));
    socket.addEventListener('close', () => client.closed());
    return client;
  }

  getStatus = () => this.#status;

  connect() {
    const again = this.#status !== 'disconnected';
    if (again && !this.#library.dialsOnce) throw new Unsupported(); // most have no such call
    this.#library.dial(); // what it still says of a connection before is not about this dial
    if (!again) this.#become('connecting');
  }

  disconnect() {
    this.ended();
    this.#library.close();
  }

  send(message) {
    return this.#library.send({ ...message, timestamp: new Date().toISOString() });
  }

  on(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  off(name, listener) {
    this.#listeners.set(name, (this.#listeners.get(name) ?? []).filter((other) => other !== listener));
  }

  opened() {
    this.#become('connected');
    this.#emit('connected', {});
  }

  received(message) {
    if (this.#status === 'disconnected') return; // the library may hand on what comes while it closes
    if (typeof message?.type === 'string') this.#emit(message.type, message.payload);
  }

  failed(message) {
    this.#emit('error', { message });
  }

  closed() {
    if (this.#status !== 'disconnected') this.#become('reconnecting');
  }

  /** It dials no more; with `gaveUp` because its attempts are exhausted. */
  ended({ gaveUp = false } = {}) {
    this.#become('disconnected');
    if (gaveUp) this.#emit('max_reconnect_attempts', {});
  }

  #become(status) {
    const old = this.#status;
    if (status === old) return; // each failed dial closes, too
    this.#status = status;
    this.#emit('status', status, old);
  }

  #emit(name, ...payload) {
    for (const listener of this.#listeners.get(name) ?? []) listener(...payload);
  }
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it is no message
  }
}

/** `url` with a token in its query. */
export function withToken(url, token) {
  if (token == null) return url;
  const dialled = new URL(url);
  dialled.searchParams.set('token', token);
  return dialled.href;
}

/** Serves one client until the input ends or `exit` is asked for. */
export function serve(hooks) {
  const adapter = new Adapter(hooks);
  let turn = Promise.resolve();
  host.read(
    (line) => (turn = turn.then(() => adapter.serve(line))),
    () => (turn = turn.then(() => adapter.leave())),
  );
}

function standardStreams() {
  // Standard output belongs to the protocol. What anybody else prints there goes to standard error, which is shown with a
  // failure.
  const print = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return {
    print: (line) => print(`${line}\n`),
    async read(take, end) {
      const { createInterface } = await import('node:readline');
      const input = createInterface({ input: process.stdin, crlfDelay: Infinity });
      input.on('line', take);
      input.on('close', end);
    },
    leave(after) {
      process.stdin.pause();
      setTimeout(() => process.exit(0), after);
    },
  };
}

class Adapter {
  #hooks;
  #client = null;
  #listeners = new Map(); // event and listener -> how to remove it
  #dials = []; // dials that wait for a token, the oldest first
  #status = 'disconnected';

  constructor(hooks) {
    if (typeof hooks?.create !== 'function') throw new TypeError('serve() needs `create`');
    this.#hooks = hooks;
  }

  async serve(line) {
    if (line.trim() === '') return;
    let request;
    try {
      request = JSON.parse(line);
    } catch (error) {
      return write({ id: null, error: `not a request: ${error.message}` });
    }
    const id = request?.id ?? null;
    try {
      const value = await this.#perform(request);
      write({ id, ok: true, ...(value === undefined ? {} : { [answerKey(request.op)]: value }) });
    } catch (error) {
      write(error instanceof Unsupported ? { id, unsupported: true } : { id, error: describe(error) });
    }
    if (request?.op === 'exit') this.leave();
  }

  /** Leaving is polite: the client disconnects as if it were asked to, and has a moment for it. */
  leave() {
    try {
      if (this.#client !== null) settle(this.#perform({ op: 'disconnect' }), 'disconnect');
    } catch (error) {
      if (!(error instanceof Unsupported)) console.error(error);
    }
    host.leave(GOODBYE);
  }

  #perform(request) {
    if (typeof request?.op !== 'string') throw new Error('a request has an `op`');
    if (request.op === 'exit') return undefined;
    if (request.op === 'configure') return this.#configure(request);
    if (request.op === 'token' || request.op === 'fail_token') return this.#answerDial(request);
    const known = Object.hasOwn(this.#hooks.ops ?? {}, request.op) || Object.hasOwn(OPS, request.op);
    if (!known) throw new Unsupported();
    if (this.#client === null) throw new Error('`configure` comes first');
    const own = this.#hooks.ops?.[request.op];
    if (own) return own(this.#client, request);
    if (request.op === 'on') return this.#on(request);
    if (request.op === 'off') return this.#off(request);
    if (request.op === 'react') return this.#react(request);
    return OPS[request.op](this.#client, request);
  }

  async #configure({ url, token, options = {}, dialect = {} }) {
    if (options.tokenProvider && !this.#hooks.tokenProvider) throw new Unsupported();
    const settings = { options, dialect, ...(url == null ? {} : { url }), ...(token == null ? {} : { token }) };
    this.#client = await this.#hooks.create(settings, {
      token: () => this.#dialWants(),
      report: (message, user = null) => write({ event: 'report', message: String(message), user }),
      event: (name, fields) => write({ event: name, ...fields }),
    });
    const changed = (status, old = this.#status) => {
      this.#status = status;
      write({ event: 'status', old, status });
    };
    const source = this.#hooks.status ?? 'status';
    if (typeof source === 'function') return void source(this.#client, changed);
    this.#register(source, (first, second) => {
      if (typeof first === 'string') return changed(first, second);
      changed(first?.status ?? first?.new ?? first?.current, first?.old ?? first?.previous);
    });
  }

  /** Registers a listener, and says how it is removed. */
  #register(name, listener) {
    const { on, off } = this.#hooks;
    if (!on) method(this.#client, 'on');
    const remove = on ? on(this.#client, name, listener) : this.#client.on(name, listener);
    if (off) return () => off(this.#client, name, listener);
    if (typeof this.#client.off === 'function') return () => this.#client.off(name, listener);
    return typeof remove === 'function' ? remove : null;
  }

  #on({ name, listener, fails = false }) {
    this.#listen(name, listener, () => {
      if (fails) throw new Error('told to fail');
    });
  }

  /** A listener that calls the client, from within it, the first time that it is called itself. */
  #react({ name, listener, do: act }) {
    if (!this.#hooks.ops?.[act.op]) {
      method(this.#client, METHODS[act.op]); // unsupported where the class has no such method
      if (act.target) eventType(act.target);
    }
    let acted = false;
    this.#listen(name, listener, () => {
      if (acted) return;
      acted = true;
      try {
        settle(this.#perform(act), act.op);
      } catch (error) {
        console.error(`${act.op}: ${describe(error)}`); // what the client refuses is no failure of its listener
      }
    });
  }

  /** Registers a listener that reports each call, and then does this. */
  #listen(name, listener, does) {
    const key = JSON.stringify([name, listener]);
    const before = this.#listeners.get(key);
    const remove = this.#register(name, (payload) => {
      write({ event: 'emit', name, payload: plain(payload), listener });
      does();
    });
    this.#listeners.set(key, remove);
    before?.();
  }

  #off({ name, listener }) {
    const key = JSON.stringify([name, listener]);
    if (!this.#listeners.has(key)) return;
    const remove = this.#listeners.get(key);
    if (remove === null) throw new Unsupported();
    this.#listeners.delete(key);
    remove();
  }

  #dialWants() {
    write({ event: 'token_wanted' });
    return new Promise((resolve, reject) => this.#dials.push({ resolve, reject }));
  }

  #answerDial({ token, error }) {
    const dial = this.#dials.shift();
    if (!dial) throw new Error('no dial waits for a token');
    if (token == null) dial.reject(new Error(error ?? 'there is none'));
    else dial.resolve(token);
  }
}

/** Requests that a method of the class answers. */
const OPS = {
  connect: (client) => started(method(client, 'connect')(), 'connect'),
  disconnect: (client) => started(method(client, 'disconnect')(), 'disconnect'),
  send: async (client, { message }) => {
    // A sender learns of a full queue by an error, or by `false`.
    if ((await soon(method(client, 'send')(message), 'send')) === false) throw new Error('refused');
  },
  subscribe: (client, { target }) => started(method(client, 'subscribe')(eventType(target)), 'subscribe'),
  unsubscribe: (client, { target }) => started(method(client, 'unsubscribe')(eventType(target)), 'unsubscribe'),
  on: null, // the adapter keeps listeners itself
  off: null,
  react: null,
  set_token: (client, { token }) => started(method(client, 'setToken')(token), 'setToken'),
  set_user: (client, { user }) => started(method(client, 'setUser')(user), 'setUser'),
  status: (client) => method(client, 'getStatus')(),
  config: (client) => method(client, 'getConfig')(),
};

/** What a listener may ask for, by the method that it calls. */
const METHODS = {
  connect: 'connect',
  disconnect: 'disconnect',
  send: 'send',
  subscribe: 'subscribe',
  unsubscribe: 'unsubscribe',
  set_token: 'setToken',
};

/** Under which key an answer has its value. */
const answerKey = (op) => (op === 'config' || op === 'status' ? op : 'value');

function method(client, name) {
  if (typeof client[name] !== 'function') throw new Unsupported();
  return client[name].bind(client);
}

/** The seed's clients subscribe to event types; one that knows rooms too has `subscribe` among its `ops`. */
function eventType(target) {
  if (typeof target?.eventType !== 'string') throw new Unsupported();
  return target.eventType;
}

async function started(result, name) {
  await soon(result, name);
}

/** What is known of a result after one turn of the event loop: `connect()` may resolve only once it is connected. */
function soon(result, name) {
  const nextTurn = globalThis.setImmediate ?? setTimeout;
  return Promise.race([settle(result, name), new Promise((resolve) => nextTurn(resolve))]);
}

/** A promise that fails after its request was answered harms nobody; what it says is kept. */
function settle(result, name) {
  if (typeof result?.then !== 'function') return result;
  result.then(undefined, (error) => console.error(`${name}: ${describe(error)}`));
  return result;
}

/** An error is what it says, since JSON would leave that out. */
function plain(payload) {
  if (payload instanceof Error) return { ...payload, message: payload.message };
  return payload === undefined ? null : payload;
}

function describe(error) {
  return error instanceof Error ? error.message : String(error);
}

function write(line) {
  host.print(JSON.stringify(line));
}
