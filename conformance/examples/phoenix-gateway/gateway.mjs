// A gateway that speaks the frames of Phoenix channels, version 2: `[join_ref, ref, topic, event, payload]`. A room is a topic, and each
// client joins the topics that it wants. What it answers, and when it closes, is what Phoenix does.
import { createServer } from 'node:http';
import amqp from 'amqplib';
import jwt from 'jsonwebtoken';
import { WebSocketServer } from 'ws';

const { PORT = '4000', JWT_SECRET, RABBITMQ_URL = 'amqp://localhost' } = process.env;
const ROLES = ['ADMIN', 'CUSTOMER', 'VENDOR'];
const NAME = /^[A-Za-z0-9:_.-]{1,128}$/;
const MAX_CHANNELS = 100; // Phoenix's `max_channels_per_transport`
const REDIAL_MS = 200;

let ending = false;
let consumer; // the connection to the broker, while there is one
const topics = new Map(); // topic -> the sockets that have joined it

function verify(url) {
  const token = new URL(url, 'http://localhost').searchParams.get('token');
  const { userId, email, role } = jwt.verify(token, JWT_SECRET, { algorithms: ['HS256'] });
  if (!userId || !email || !ROLES.includes(role)) throw new Error('claims are missing');
  return { userId, role: role.toLowerCase() };
}

const server = createServer((request, response) => {
  const ready = request.url === '/readyz' && consumer !== undefined;
  response.writeHead(ready || request.url === '/healthz' ? 200 : request.url === '/readyz' ? 503 : 404).end();
});
const wss = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 });

server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => socket.destroy());
  const refuse = (status) => socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  if (!/^\/socket\/websocket(\?|$)/.test(request.url)) return refuse('404 Not Found');
  let user;
  try {
    user = verify(request.url);
  } catch {
    return refuse('403 Forbidden'); // as `connect/3` refuses
  }
  wss.handleUpgrade(request, socket, head, (ws) => open(ws, user));
});

function open(ws, user) {
  const joined = new Map(); // topic -> its join_ref
  const send = (...frame) => ws.send(JSON.stringify(frame));
  const leave = (topic) => {
    joined.delete(topic);
    topics.get(topic)?.delete(ws);
    if (topics.get(topic)?.size === 0) topics.delete(topic);
  };

  function join(joinRef, ref, topic) {
    const refuse = (reason) => send(joinRef, ref, topic, 'phx_reply', { status: 'error', response: { reason } });
    if (typeof topic !== 'string' || !NAME.test(topic)) return refuse('bad_room');
    const isPrivate = /^(user|role):/i.test(topic);
    if (isPrivate && topic !== `user:${user.userId}` && topic !== `role:${user.role}`) return refuse('forbidden');
    // Who joins again leaves first.
    if (joined.has(topic)) send(joined.get(topic), joined.get(topic), topic, 'phx_close', {});
    else if (joined.size === MAX_CHANNELS) return refuse('too_many_rooms');
    joined.set(topic, joinRef);
    if (!topics.has(topic)) topics.set(topic, new Set());
    topics.get(topic).add(ws);
    send(joinRef, ref, topic, 'phx_reply', { status: 'ok', response: {} });
  }

  ws.on('error', () => {}); // `ws` has closed it
  ws.on('close', () => [...joined.keys()].forEach(leave));
  ws.on('message', (data, isBinary) => {
    let frame;
    try {
      frame = isBinary ? null : JSON.parse(data);
    } catch {}
    if (!Array.isArray(frame) || frame.length !== 5) return ws.close(1011); // its process has crashed
    const [joinRef, ref, topic, event] = frame;
    if (topic === 'phoenix' && event === 'heartbeat') {
      return send(null, ref, 'phoenix', 'phx_reply', { status: 'ok', response: {} });
    }
    if (event === 'phx_join') return join(joinRef, ref, topic);
    if (!joined.has(topic)) {
      return send(joinRef, ref, topic, 'phx_reply', { status: 'error', response: { reason: 'unmatched topic' } });
    }
    if (event !== 'phx_leave') return send(joined.get(topic), joined.get(topic), topic, 'phx_error', {});
    leave(topic);
    send(joinRef, ref, topic, 'phx_reply', { status: 'ok', response: {} });
    send(joinRef, joinRef, topic, 'phx_close', {});
  });
}

const topicOf = ({ type, data }) => {
  if (type.startsWith('payment:')) return 'broadcast';
  if (/^(profile|session):/.test(type)) return `user:${data.userId}`;
  return type.startsWith('admin:') ? 'role:admin' : type;
};

function broadcast(message) {
  const event = JSON.parse(message.content.toString());
  const topic = topicOf(event);
  const frame = JSON.stringify([null, null, topic, event.type, event.data]);
  for (const ws of topics.get(topic) ?? []) ws.send(frame);
}

async function consume() {
  const connection = await amqp.connect(RABBITMQ_URL);
  connection.on('error', () => {}); // `close` follows
  connection.on('close', () => {
    consumer = undefined;
    if (!ending) again();
  });
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  await channel.prefetch(100);
  await channel.assertExchange('payments_events', 'topic', { durable: true });
  await channel.assertQueue('ws_events', { durable: true });
  await channel.bindQueue('ws_events', 'payments_events', '#');
  await channel.consume('ws_events', (message) => {
    if (message === null) return connection.close();
    try {
      broadcast(message);
      channel.ack(message);
    } catch {
      channel.nack(message, false, false);
    }
  });
  consumer = connection;
}

const again = () => void setTimeout(() => consume().catch(again), REDIAL_MS);

again();
server.listen(Number(PORT));

process.on('SIGTERM', async () => {
  ending = true;
  server.close();
  await consumer?.close().catch(() => {}); // what is not acknowledged waits for the next gateway
  for (const ws of wss.clients) ws.close(1001);
  setTimeout(() => process.exit(0), 500);
});
