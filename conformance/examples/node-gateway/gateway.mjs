// A gateway as many teams write it: `ws`, `amqplib`, and nothing else. It is an example of something to judge, not of
// how to do it: Gatecheck finds what it leaves out.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import amqp from 'amqplib';
import { WebSocketServer } from 'ws';

const { PORT = '3000', JWT_SECRET = '', RABBITMQ_URL = 'amqp://127.0.0.1' } = process.env;
const PING_INTERVAL = Number(process.env.PING_INTERVAL_MS ?? 30000);
const rooms = new Map(); // room -> Set of sockets

function verify(token) {
  const [header, payload, signature] = token.split('.');
  const wanted = createHmac('sha256', JWT_SECRET).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature ?? '', 'base64url');
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new Error('bad signature');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  if (claims.exp * 1000 < Date.now()) throw new Error('expired');
  return claims;
}

const send = (socket, type, payload) =>
  socket.send(JSON.stringify({ type, payload, timestamp: new Date().toISOString() }));
const join = (socket, room) => rooms.set(room, (rooms.get(room) ?? new Set()).add(socket));
const leave = (socket, room) => rooms.get(room)?.delete(socket);
const broadcast = (room, event) => rooms.get(room)?.forEach((socket) => send(socket, event.type, event.data));

const server = createServer((_, response) => response.writeHead(426).end());
const wss = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  try {
    const claims = verify(new URL(request.url, 'http://x').searchParams.get('token') ?? '');
    wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, claims));
  } catch {
    socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
  }
});

wss.on('connection', (socket, claims) => {
  socket.alive = true;
  join(socket, 'broadcast');
  join(socket, `user:${claims.userId}`);
  send(socket, 'connection:established', { userId: claims.userId, rooms: ['broadcast', `user:${claims.userId}`] });
  socket.on('pong', () => (socket.alive = true));
  socket.on('close', () => rooms.forEach((members) => members.delete(socket)));
  socket.on('message', (data) => {
    try {
      const { type, payload } = JSON.parse(data);
      const room = payload?.room ?? payload?.eventType;
      if (type === 'ping') send(socket, 'pong');
      if (type === 'subscribe') { join(socket, room); send(socket, 'subscribed', payload); }
      if (type === 'unsubscribe') { leave(socket, room); send(socket, 'unsubscribed', payload); }
    } catch (error) {
      send(socket, 'error', { code: 'bad_message', message: error.message });
    }
  });
});
setInterval(() => wss.clients.forEach((socket) => {
  if (!socket.alive) return socket.terminate();
  socket.alive = false;
  socket.ping();
}), PING_INTERVAL);

const channel = await (await amqp.connect(RABBITMQ_URL)).createChannel();
await channel.assertExchange('payments_events', 'topic', { durable: true });
await channel.assertQueue('ws_events', { durable: true });
await channel.bindQueue('ws_events', 'payments_events', '#');
await channel.consume('ws_events', (message) => {
  const event = JSON.parse(message.content.toString());
  if (event.type.startsWith('payment:')) broadcast('broadcast', event);
  else if (/^(profile|session):/.test(event.type)) broadcast(`user:${event.data.userId}`, event);
  else broadcast(event.type.startsWith('admin:') ? 'role:admin' : event.type, event);
  channel.ack(message);
});
server.listen(Number(PORT), '127.0.0.1');
