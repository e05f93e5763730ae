// A gateway of several ways to sign in, of other limits, and of frames that answer by reference: DESIGN says which.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import amqp from 'amqplib';
import { WebSocketServer } from 'ws';

const { PORT, RABBITMQ_URL, DESIGN, JWT_SECRET } = process.env;
const usual = {
  refuse: (socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
  token: (url) => url.pathname === '/ws' && url.searchParams.get('token'),
  user: ({ userId }) => typeof userId === 'string' && userId,
  role: ({ role }) => ['ADMIN', 'CUSTOMER', 'VENDOR'].includes(role) && role,
  write: (type, payload) => ({ type, payload, timestamp: new Date().toISOString() }),
  read: ({ type, payload }) => ({ type, room: payload?.room ?? payload?.eventType, echo: payload }),
};
const byReference = {
  // Answers name what they answer by its reference alone.
  write: (type, payload, { ref, join, topic } = {}) => {
    if (type === 'pong') return [null, ref, 'phoenix', 'phx_reply', { status: 'ok', response: {} }];
    if (type === 'subscribed' || type === 'unsubscribed') return [join, ref, topic, 'phx_reply', { status: 'ok', response: {} }];
    if (type === 'error') return [join ?? null, ref ?? null, topic ?? 'phoenix', 'phx_reply', { status: 'error', response: { reason: payload.code } }];
    return [null, null, topic ?? 'all', type, payload];
  },
  read: ([join, ref, topic, event, payload]) => {
    const types = { heartbeat: 'ping', phx_join: 'subscribe', phx_leave: 'unsubscribe' };
    return { type: types[event] ?? event, room: topic, echo: payload, origin: { join, ref, topic } };
  },
};
const byMessage = {
  first: ({ type, payload }) => type === 'connection_init' && payload?.token,
  answer: { type: 'connection_ack' },
};
const DESIGNS = {
  integers: { user: ({ sub }) => Number.isInteger(sub) && sub },
  uuids: { user: ({ userId }) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(userId) && userId },
  roles: { role: ({ roles }) => Array.isArray(roles) && ['superuser', 'buyer', 'seller'].includes(roles[0]) && roles[0], admin: 'superuser' },
  'no-roles': { role: () => 'none' },
  path: { token: ({ pathname }) => pathname.startsWith('/ws/') && decodeURIComponent(pathname.slice('/ws/'.length)) },
  message: byMessage,
  // It tells its clients why, and closes then.
  'message-and-error': { ...byMessage, tells: true },
  // It takes a first message to be whole.
  'message-fragile': { ...byMessage, dies: true, first: ({ type, payload }) => type === 'connection_init' && payload.token },
  // It believes whatever comes.
  'message-unverified': { ...byMessage, believes: true },
  // Other limits than usual.
  limits: { bytes: 16384, rooms: 40 },
  references: byReference,
  // Its answers refer to nothing that was asked.
  'wrong-references': { ...byReference, write: (type, payload, origin) => byReference.write(type, payload, { ...origin, ref: '0' }) },
};
const design = { ...usual, admin: 'admin', ...DESIGNS[DESIGN] };

/** The claims of a token, or nothing. */
const verified = (token) => {
  const [header, payload, signature] = (token || '').split('.');
  if (!signature || JSON.parse(Buffer.from(header, 'base64url')).alg !== 'HS256') return undefined;
  const expected = createHmac('sha256', JWT_SECRET).update(`${header}.${payload}`).digest();
  const found = Buffer.from(signature, 'base64url');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  if (design.believes) return claims;
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) return undefined;
  const now = Date.now() / 1000;
  return claims.exp > now && !(claims.nbf > now) ? claims : undefined;
};
/** User and role, or nothing. */
const identified = (token) => {
  try {
    const claims = verified(token);
    const [user, role] = claims ? [design.user(claims), design.role(claims)] : [];
    return user && role && claims.email ? { user, role, expires: claims.exp * 1000 } : undefined;
  } catch {
    return undefined;
  }
};

const rooms = new Map();
const join = (socket, room) => rooms.set(room, (rooms.get(room) ?? new Set()).add(socket));
const send = (socket, type, payload, origin) => socket.send(JSON.stringify(design.write(type, payload, origin)));

const admit = (socket, { user, role, expires }) => {
  const own = ['broadcast', `user:${user}`, `role:${role.toLowerCase()}`];
  own.forEach((room) => join(socket, room));
  const timer = setTimeout(() => socket.close(4401), Math.min(expires - Date.now(), 2 ** 31 - 1));
  socket.on('close', () => { clearTimeout(timer); rooms.forEach((members) => members.delete(socket)); });
  send(socket, 'connection:established', { userId: user, rooms: own });
  socket.on('message', (data) => {
    const refuse = (code, origin) => send(socket, 'error', { code, message: code }, origin);
    let message;
    try { message = design.read(JSON.parse(data)); } catch { return refuse('bad_message'); }
    const { type, room, echo, origin } = message;
    if (type === 'ping') return send(socket, 'pong', undefined, origin);
    if (type !== 'subscribe' && type !== 'unsubscribe') return refuse('unknown_type', origin);
    if (typeof room !== 'string' || !/^[A-Za-z0-9:_.-]{1,128}$/.test(room)) return refuse('bad_room', origin);
    if (type === 'unsubscribe') { rooms.get(room)?.delete(socket); return send(socket, 'unsubscribed', echo, origin); }
    if (/^(user|role):/.test(room) && !own.includes(room)) return refuse('forbidden', origin);
    const joined = [...rooms.values()].filter((members) => members.has(socket)).length;
    if (joined >= (design.rooms ?? 100)) return refuse('too_many_rooms', origin);
    join(socket, room);
    return send(socket, 'subscribed', echo, origin);
  });
};

/** Waits for the first message, which signs in. */
const await_first = (socket) => {
  const deny = () => {
    if (design.tells) socket.send(JSON.stringify({ type: 'error', payload: { code: 'unauthorized', message: 'no' } }));
    socket.close(4403);
  };
  const late = setTimeout(deny, 1000);
  socket.once('message', (data) => {
    clearTimeout(late);
    let identity;
    try { identity = identified(design.first(JSON.parse(data))); } catch (error) { if (design.dies) throw error; }
    if (!identity) return deny();
    socket.send(JSON.stringify(design.answer));
    return admit(socket, identity);
  });
};

const server = createServer((_, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({ noServer: true, maxPayload: design.bytes ?? 65536 });
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => {});
  const url = new URL(request.url, 'http://x');
  const open = (opened) => sockets.handleUpgrade(request, socket, head, (ready) => { ready.on('error', () => {}); opened(ready); });
  if (design.first) return url.pathname === '/ws' ? open(await_first) : design.refuse(socket);
  const identity = identified(design.token(url));
  return identity ? open((ready) => admit(ready, identity)) : design.refuse(socket);
});

const room = ({ type, data }) => {
  if (type.startsWith('payment:')) return 'broadcast';
  if (/^(profile|session):/.test(type)) return `user:${data.userId}`;
  return type.startsWith('admin:') ? `role:${design.admin}` : type;
};
const connection = await amqp.connect(RABBITMQ_URL);
connection.on('error', () => {});
const channel = await connection.createChannel();
channel.on('error', () => {});
await channel.assertExchange('payments_events', 'topic', { durable: true });
await channel.assertQueue('ws_events', { durable: true });
await channel.bindQueue('ws_events', 'payments_events', '#');
await channel.consume('ws_events', (message) => {
  if (!message) return;
  try {
    const event = JSON.parse(message.content.toString());
    if (DESIGN === 'integers' && 'userId' in event.data && !Number.isInteger(event.data.userId)) throw new Error('a user is a number');
    rooms.get(room(event))?.forEach((socket) => send(socket, event.type, event.data, { topic: room(event) }));
    channel.ack(message);
  } catch {
    channel.nack(message, false, false);
  }
});
server.listen(Number(PORT), '127.0.0.1');
