// A gateway of a design that no built-in one is like: RabbitMQ topic exchange "billing.events" -> two named queues -> WebSocket clients.
// Frames are {action, channel, body, at}. Sign-in by first message.
import http from 'node:http';
import { WebSocketServer } from 'ws';
import amqp from 'amqplib';
import jwt from 'jsonwebtoken';

const PORT = Number(process.env.PORT ?? 8080);
const SECRET = process.env.JWT_SECRET;
const AMQP_URL = process.env.AMQP_URL ?? 'amqp://localhost';
const PING_MS = Number(process.env.PING_MS ?? 30000);
const SIGN_IN_MS = 5000, MAX_BYTES = 65536, MAX_CHANNELS = 100, OUTBOX = 4 << 20;
const EXCHANGE = 'billing.events';
const ROLES = new Set(['admin', 'customer', 'vendor']);

// queue -> bindings; the gateway's own routing table follows
const QUEUES = { 'gw.orders': ['order.#', 'account.#'], 'gw.misc': ['ops.#', 'ticker.#'] };
// routing-key pattern -> who gets it, and the name that clients see
const ROUTES = [
  [/^order\.(\w+)$/, (d) => [`user:${d.owner_id}`, 'role:admin']],   // the owner, and administrators
  [/^account\.(\w+)$/, (d) => [`user:${d.owner_id}`]],               // the owner alone
  [/^ops\.(\w+)$/, () => ['role:admin']],                            // administrators alone
  [/^ticker\.([\w.]+)$/, (_d, key) => [key]],                        // whoever joined the channel
];

const channels = new Map(); // name -> Set of connections
function enter(c, ch) { let s = channels.get(ch); if (!s) channels.set(ch, (s = new Set())); s.add(c); c.channels.add(ch); }
function leave(c, ch) { const s = channels.get(ch); s?.delete(c); if (s?.size === 0) channels.delete(ch); c.channels.delete(ch); }
function send(c, action, channel, body) {
  if (c.readyState !== 1) return;
  if (c.bufferedAmount > OUTBOX) { c.close(1013, 'too slow'); setTimeout(() => c.terminate(), 2000).unref(); return; }
  const f = { action, at: new Date().toISOString() };
  if (channel !== undefined) f.channel = channel;
  if (body !== undefined) f.body = body;
  c.send(JSON.stringify(f));
}
const err = (c, code, message, channel) => send(c, 'error', channel, { code, message });

const server = http.createServer((req, res) => {
  if (req.url === '/healthz') { res.writeHead(200).end('ok'); return; }
  if (req.url === '/readyz') { res.writeHead(ready ? 200 : 503).end(ready ? 'ok' : 'no broker'); return; }
  res.writeHead(404).end();
});
const wss = new WebSocketServer({ noServer: true, maxPayload: MAX_BYTES });
server.on('upgrade', (req, socket, head) => {
  socket.on('error', () => socket.destroy());
  if (req.url.split('?')[0] !== '/stream') { socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'); return; }
  wss.handleUpgrade(req, socket, head, (ws) => opened(ws));
});

function opened(c) {
  c.channels = new Set(); c.alive = true; c.user = null;
  c.on('error', () => {});
  c.on('pong', () => { c.alive = true; });
  const limit = setTimeout(() => { err(c, 'unauthorized', 'sign in first'); c.close(4401, 'no sign-in'); }, SIGN_IN_MS);
  const beat = setInterval(() => {
    if (!c.alive) return c.terminate();
    c.alive = false; c.ping();
  }, PING_MS);
  c.on('close', () => { clearTimeout(limit); clearInterval(beat); clearTimeout(c.expiry); for (const ch of [...c.channels]) leave(c, ch); });
  c.on('message', (data, binary) => {
    if (binary) return err(c, 'bad_frame', 'text only');
    let m; try { m = JSON.parse(data.toString()); } catch { return refuseOr(c, 'bad_json'); }
    if (m === null || typeof m !== 'object' || Array.isArray(m) || typeof m.action !== 'string') return refuseOr(c, 'bad_frame');
    if (!c.user) { if (m.action !== 'auth') return refuseOr(c, 'unauthorized'); clearTimeout(limit); return signIn(c, m.body?.token); }
    act(c, m);
  });
}
function refuseOr(c, code) { err(c, c.user ? code : 'unauthorized', code); if (!c.user) c.close(4401, 'not signed in'); }

function signIn(c, token) {
  let t;
  try {
    if (typeof token !== 'string') throw new Error('no token');
    if (jwt.decode(token, { complete: true })?.header?.crit !== undefined) throw new Error('crit');
    t = jwt.verify(token, SECRET, { algorithms: ['HS256'] });
    if (!Number.isInteger(t.uid)) throw new Error('no uid');
    if (typeof t.email !== 'string' || !t.email) throw new Error('no email');
    if (!Number.isFinite(t.exp)) throw new Error('no exp');
    if (!Array.isArray(t.roles) || !t.roles.length || !t.roles.every((r) => ROLES.has(r))) throw new Error('no role');
  } catch { err(c, 'unauthorized', 'token refused'); return c.close(4401, 'token refused'); }
  c.user = t.uid; c.roles = t.roles;
  const left = t.exp * 1000 - Date.now();
  if (left < 2 ** 31) c.expiry = setTimeout(() => { err(c, 'expired', 'token expired'); c.close(4401, 'expired'); }, Math.max(0, left));
  enter(c, `user:${t.uid}`);
  for (const r of t.roles) enter(c, `role:${r}`);
  send(c, 'ready', undefined, { user: t.uid });
}

function act(c, m) {
  const ch = m.channel;
  switch (m.action) {
    case 'ping': return send(c, 'pong');
    case 'join': case 'leave': {
      if (typeof ch !== 'string' || !/^[A-Za-z0-9:_.-]{1,128}$/.test(ch)) return err(c, 'bad_channel', 'no such channel', typeof ch === 'string' ? ch : undefined);
      const own = ch === `user:${c.user}` || c.roles.some((r) => ch === `role:${r}`);
      const closed = ch.startsWith('user:') || ch.startsWith('role:');
      if (m.action === 'join') {
        if (closed && !own) return err(c, 'forbidden', 'not yours', ch);
        if (!c.channels.has(ch) && c.channels.size >= MAX_CHANNELS) return err(c, 'too_many', 'too many channels', ch);
        enter(c, ch); return send(c, 'joined', ch);
      }
      if (!closed) leave(c, ch);
      return send(c, 'left', ch);
    }
    default: return err(c, 'unknown_action', 'unknown action');
  }
}

function route(key, data) {
  for (const [re, who] of ROUTES) if (re.test(key)) {
    const to = new Set();
    for (const ch of who(data, key)) for (const c of channels.get(ch) ?? []) to.add(c);
    for (const c of to) { send(c, 'event', key, data); }
    return;
  }
}

let ready = false, conn = null, stopping = false, wait = 250;
function retry() { if (!stopping) { setTimeout(broker, wait); wait = Math.min(wait * 2, 5000); } }
async function broker() {
  try {
    conn = await amqp.connect(AMQP_URL, { heartbeat: 10 });
    conn.on('error', () => {});
    const mine = conn; let gone = false;
    const lost = () => { if (gone) return; gone = true; ready = false; mine.close().catch(() => {}); retry(); };
    conn.on('close', lost);
    const chan = await conn.createChannel();
    chan.on('error', () => {}); chan.on('close', lost);
    await chan.prefetch(100);
    await chan.assertExchange(EXCHANGE, 'topic', { durable: true });
    for (const [q, keys] of Object.entries(QUEUES)) {
      await chan.assertQueue(q, { durable: true });
      for (const k of keys) await chan.bindQueue(q, EXCHANGE, k);
    }
    for (const q of Object.keys(QUEUES)) await chan.consume(q, (msg) => {
      if (!msg) return lost();
      if (stopping) return;
      let d; try { d = JSON.parse(msg.content.toString()); if (d === null || typeof d !== 'object' || Array.isArray(d)) throw new Error('shape'); }
      catch { console.error('rejected a body that is no event on', msg.fields.routingKey); return chan.reject(msg, false); }
      route(msg.fields.routingKey, d);
      chan.ack(msg);
    });
    ready = true; wait = 250;
    console.log('consuming');
  } catch (e) { console.error('broker:', e.code ?? e.message); conn?.close?.().catch(() => {}); conn = null; retry(); }
}
async function stop() {
  if (stopping) return; stopping = true;
  server.close();
  for (const c of wss.clients) c.close(1001, 'going away');
  try { await conn?.close(); } catch {}
  setTimeout(() => process.exit(0), 1000);
}
process.on('SIGTERM', stop); process.on('SIGINT', stop);
server.listen(PORT, () => console.log('listening on', PORT));
broker();
