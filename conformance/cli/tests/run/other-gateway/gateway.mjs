// A gateway of another design than the seed's: frames of `{ action, channel, body }`, two exchanges and two queues, events that
// have other names at the broker, for their owner and for administrators, `sub` in the token, pings as messages, `user/…` and `role/…`
// as private channels, 16 KiB for a message.
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import amqp from 'amqplib';
import { WebSocketServer } from 'ws';

const { PORT, JWT_SECRET, AMQP_URL } = process.env;
const BEAT = Number(process.env.WS_HEARTBEAT_INTERVAL ?? 25000);
const sockets = new Set();

function verify(token) {
  const [header, payload, signature] = (token ?? '').split('.');
  const wanted = createHmac('sha256', JWT_SECRET).update(`${header}.${payload}`).digest('base64url');
  if (wanted !== signature) throw new Error('signature');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  if (typeof claims.sub !== 'string' || claims.exp * 1000 < Date.now()) throw new Error('claims');
  return claims;
}

const send = (socket, frame) => socket.send(JSON.stringify(frame));
const server = createServer((request, response) =>
  response.writeHead(request.url === '/healthz' ? 200 : 404).end());
const wss = new WebSocketServer({ noServer: true, maxPayload: 16 * 1024 });
server.on('upgrade', (request, socket, head) => {
  const url = new URL(request.url, 'http://x');
  const refuse = (status) => socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\n\r\n`);
  if (url.pathname !== '/realtime') return refuse(404);
  try {
    const claims = verify(request.headers.authorization?.replace('Bearer ', ''));
    wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, claims));
  } catch {
    refuse(403);
  }
});

wss.on('connection', (socket, claims) => {
  Object.assign(socket, { user: claims.sub, admin: claims.role === 'ADMIN', channels: new Set(), silent: 0 });
  sockets.add(socket);
  const own = [`user/${claims.sub}`, `role/${claims.role}`];
  send(socket, { action: 'hello', body: { session: { user: claims.sub }, channels: own } });
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => {});
  socket.on('message', (data) => {
    let frame;
    try { frame = JSON.parse(data); } catch { return send(socket, { action: 'oops', body: { code: 'not_json', reason: 'no JSON' } }); }
    const { action, channel } = frame;
    if (action === 'ping') return send(socket, { action: 'pong' });
    if (action === 'pong') return void (socket.silent = 0);
    if (action === 'join' && /^(user|role)\//.test(channel) && !own.includes(channel)) {
      return send(socket, { action: 'oops', channel: null, body: { code: 'not_yours', reason: 'private' } });
    }
    if (action === 'join' && typeof channel === 'string') {
      socket.channels.add(channel);
      return send(socket, { action: 'joined', channel });
    }
    if (action === 'leave' && typeof channel === 'string') {
      socket.channels.delete(channel);
      return send(socket, { action: 'left', channel });
    }
    send(socket, { action: 'oops', body: { code: 'invalid', reason: 'unknown action' } });
  });
});
setInterval(() => sockets.forEach((socket) => {
  if (socket.silent++ > 1) return socket.terminate();
  send(socket, { action: 'ping' });
}), BEAT);

const channel = await (await amqp.connect(AMQP_URL)).createChannel();
await channel.prefetch(16);
const deliver = (name, data, suits) =>
  sockets.forEach((socket) => suits(socket) && send(socket, { action: name, body: data, at: new Date().toISOString() }));
await channel.assertExchange('shop', 'topic');
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.bindQueue(queue, 'shop', 'shop.order.*');
await channel.bindQueue(queue, 'shop', 'shop.stock.changed');
await channel.consume(queue, (message) => {
  const { pattern, data } = JSON.parse(message.content);
  if (!pattern) return channel.nack(message, false, false);
  const name = pattern.split('.').slice(1).join('/');
  if (name.startsWith('stock')) deliver(name, data, (socket) => socket.channels.has(name));
  else deliver(name, data, (socket) => socket.user === data.ownerId);
  channel.ack(message);
});
await channel.assertExchange('alerts', 'direct');
await channel.assertQueue('alerts_for_admins', { durable: true });
await channel.bindQueue('alerts_for_admins', 'alerts', 'alerts.admin.alert');
await channel.consume('alerts_for_admins', (message) => {
  const { kind, data } = JSON.parse(message.content);
  if (kind && data) deliver('admin/alert', data, (socket) => socket.admin);
  channel.ack(message);
});
server.listen(Number(PORT), '127.0.0.1');
