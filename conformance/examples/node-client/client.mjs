// A client over `ws` and nothing else: one connection that comes back by itself.
import { WebSocket } from 'ws';

const DEFAULTS = {
  reconnectDelay: 1000,
  maxReconnectDelay: 30000,
  maxReconnectAttempts: 10,
  jitter: 0.2,
  autoReconnect: true,
  pingInterval: 30000,
  pongTimeout: 10000,
  connectTimeout: 10000,
  stableAfter: 5000,
  queueCapacity: 1000,
  debug: false,
};
const NORMAL = 1000;
const REFUSALS = new Set([1008, 4401]);
const GOODBYE = 1000; // how long a gateway may take to answer a close

export class RealtimeClient {
  #settings;
  #token; // a string, or an asynchronous function that gives one
  #status = 'disconnected';
  #socket = null;
  #leaving = Promise.resolve(); // the old socket's end: never two at once
  #dial = 0; // the number of the newest dial; what belongs to an older one is of no interest
  #attempts = 0;
  #refused = false;
  #ready = false; // whether what waited has gone out
  #queue = [];
  #written = Promise.resolve(); // the newest message is with the kernel, or lost
  #subscriptions = new Map();
  #listeners = new Map();
  #timers = new Map();

  constructor({ url = process.env.NX_WS_URL ?? 'ws://localhost:3000/ws', token, ...options } = {}) {
    this.#settings = { ...DEFAULTS, ...options, url };
    this.#token = token;
  }

  getStatus = () => this.#status;
  getConfig = () => ({ ...this.#settings });

  connect() {
    if (this.#status !== 'disconnected') return;
    this.#attempts = 0;
    this.#open();
  }

  disconnect() {
    this.#drop();
    this.#become('disconnected');
  }

  /** Replaces the token, and the connection that was opened with the old one. */
  setToken(token) {
    this.#token = token;
    const wanted = this.#status !== 'disconnected' || this.#refused;
    this.#refused = false;
    if (token == null) return this.disconnect();
    if (!wanted) return;
    this.disconnect();
    this.connect();
  }

  /** Sends, or keeps for later; throws where too much waits already. */
  send({ type, payload }) {
    // A socket that is closing takes nothing any more.
    if (this.#ready && this.#socket.readyState === WebSocket.OPEN) return this.#write(type, payload);
    if (this.#queue.length >= this.#settings.queueCapacity) throw new Error('the queue is full');
    this.#queue.push({ type, payload });
  }

  /** Subscribes to an event type, or to a room: `subscribe('catalog:changed')`, `subscribe({ room: 'user:42' })`. */
  subscribe(what) {
    const target = typeof what === 'string' ? { eventType: what } : what;
    const key = JSON.stringify(target);
    if (this.#subscriptions.has(key)) return;
    this.#subscriptions.set(key, target);
    if (this.#ready) this.#write('subscribe', target);
  }

  unsubscribe(what) {
    const target = typeof what === 'string' ? { eventType: what } : what;
    if (this.#subscriptions.delete(JSON.stringify(target)) && this.#ready) this.#write('unsubscribe', target);
  }

  on(name, listener) {
    this.#listeners.set(name, (this.#listeners.get(name) ?? new Set()).add(listener));
  }

  off(name, listener) {
    this.#listeners.get(name)?.delete(listener);
  }

  async #open() {
    const dial = ++this.#dial;
    this.#become('connecting');
    await this.#leaving;
    if (dial !== this.#dial) return;
    this.#after('dial', this.#settings.connectTimeout, () => this.#fail('timeout', 'no token came'));
    let token;
    try {
      token = typeof this.#token === 'function' ? await this.#token() : this.#token;
    } catch (error) {
      if (dial === this.#dial) this.#fail('token', error.message);
      return;
    }
    if (dial !== this.#dial) return;
    const url = new URL(this.#settings.url);
    if (token != null) url.search += `${url.search ? '&' : '?'}token=${encodeURIComponent(token)}`;
    this.#log(`dialling ${this.#settings.url}`);
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.#socket = socket;
    this.#after('dial', this.#settings.connectTimeout, () => this.#fail('timeout', 'the dial hangs'));
    const current = (act) => (...args) => dial === this.#dial && act(...args);
    socket.on('open', current(() => this.#opened()));
    socket.on('message', current((data, isBinary) => this.#received(data, isBinary)));
    // The close that follows says the same once more; without a listener an error would end the process.
    socket.on('error', current((error) => this.#log(error.message)));
    socket.on('unexpected-response', current((_, response) => {
      if (response.statusCode === 401) this.#unauthorized();
      else this.#fail('handshake', `the gateway answered ${response.statusCode}`);
    }));
    socket.on('close', current((code) => this.#closed(code)));
  }

  async #opened() {
    const { stableAfter, pingInterval } = this.#settings;
    const [dial, socket] = [this.#dial, this.#socket];
    this.#cancel('dial');
    this.#after('stable', stableAfter, () => (this.#attempts = 0));
    this.#become('connected');
    while (this.#queue.length > 0) {
      // What the socket has not taken yet waits here, where the end of the connection does not lose it.
      if (socket.bufferedAmount > 0) await this.#written;
      if (dial !== this.#dial || socket.readyState !== WebSocket.OPEN) return;
      const { type, payload } = this.#queue.shift();
      this.#write(type, payload);
    }
    this.#ready = true;
    for (const target of this.#subscriptions.values()) this.#write('subscribe', target);
    this.#after('ping', pingInterval, () => this.#ping());
    this.#emit('connected', {});
  }

  #ping() {
    const { pingInterval, pongTimeout } = this.#settings;
    this.#write('ping');
    if (!this.#timers.has('pong')) {
      this.#after('pong', pongTimeout, () => {
        this.#log('no pong');
        this.#drop();
        this.#lost();
      });
    }
    this.#after('ping', pingInterval, () => this.#ping());
  }

  #received(data, isBinary) {
    let message;
    try {
      message = isBinary ? undefined : JSON.parse(data);
    } catch {
      // Told below, with everything else that is no message.
    }
    if (typeof message?.type !== 'string') return console.error('ignored what is no message');
    if (message.type === 'pong') return this.#cancel('pong');
    this.#emit(message.type, message.payload);
  }

  #closed(code) {
    this.#log(`closed with ${code}`);
    const was = this.#status;
    this.#drop();
    if (REFUSALS.has(code)) this.#unauthorized();
    else if (was === 'connecting') this.#fail('dial', 'the dial failed');
    else if (code === NORMAL) this.#become('disconnected');
    else this.#lost();
  }

  #fail(code, message) {
    this.#drop();
    this.#become('error');
    this.#emit('error', { code, message });
    this.#lost();
  }

  #unauthorized() {
    this.#drop();
    this.#refused = true;
    this.#become('error');
    this.#emit('error', { code: 'unauthorized' });
    this.#become('disconnected');
  }

  #lost() {
    const { autoReconnect, maxReconnectAttempts, reconnectDelay, maxReconnectDelay, jitter } = this.#settings;
    if (!autoReconnect) return this.#become('disconnected');
    if (this.#attempts >= maxReconnectAttempts) {
      this.#become('disconnected');
      return this.#emit('max_reconnect_attempts', { attempts: this.#attempts });
    }
    this.#become('reconnecting');
    const delay = Math.min(reconnectDelay * 2 ** this.#attempts++, maxReconnectDelay);
    this.#after('redial', delay * (1 + jitter * (2 * Math.random() - 1)), () => this.#open());
  }

  /** Leaves the socket, and everything that was going on with it. */
  #drop() {
    this.#dial += 1;
    this.#ready = false;
    for (const name of this.#timers.keys()) this.#cancel(name);
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null || socket.readyState === WebSocket.CLOSED) return;
    const impatience = setTimeout(() => socket.terminate(), GOODBYE);
    this.#leaving = new Promise((resolve) => socket.once('close', resolve)).then(() => clearTimeout(impatience));
    socket.close(NORMAL);
  }

  #write(type, payload) {
    const text = JSON.stringify({ type, payload, timestamp: new Date().toISOString() });
    this.#written = new Promise((resolve) => this.#socket.send(text, resolve));
  }

  #become(status) {
    const old = this.#status;
    if (status === old) return;
    this.#status = status;
    this.#emit('status', status, old);
  }

  #emit(name, ...args) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(...args);
      } catch (error) {
        console.error(`a listener of ${name} failed: ${error.message}`);
      }
    }
  }

  #after(name, ms, act) {
    this.#cancel(name);
    this.#timers.set(name, setTimeout(() => (this.#timers.delete(name), act()), ms));
  }

  #cancel(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #log(text) {
    if (this.#settings.debug) console.error(text);
  }
}
