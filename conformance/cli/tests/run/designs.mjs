// A gateway of several designs: how its events come, DESIGN says.
import { createServer } from 'node:http';
import amqp from 'amqplib';
import { WebSocketServer } from 'ws';

const { PORT, RABBITMQ_URL, DESIGN, UNACKNOWLEDGED } = process.env;
const DESIGNS = {
  // Other names at the broker than at clients, in bodies of another shape.
  names: {
    exchange: 'events', type: 'topic', queues: [['ws_events', ['payments.#', 'users.#']]],
    read: ({ kind, content }) => ({ type: kind.split('.').slice(1).join(':'), data: content }),
  },
  // A direct exchange with constant keys, which alone say what an event is.
  direct: {
    exchange: 'events', type: 'direct', queues: [['ws_events', ['created', 'profile']]],
    read: ({ data }, key) => ({ type: key === 'created' ? 'payment:new' : 'profile:new', data }),
  },
  // Two queues, and a routing table.
  two: {
    exchange: 'payments_events', type: 'topic',
    queues: [['payments', ['payment.#', 'an.#']], ['others', ['profile.#', 'session.#', 'admin.#', 'catalog.#', 'stock.#']]],
    read: ({ type, data }) => ({ type, data }),
  },
  // A queue that the server names, for this connection alone.
  exclusive: {
    exchange: 'payments_events', type: 'topic', queues: [['', ['#']]],
    read: ({ type, data }) => ({ type, data }),
  },
  // One of each.
  mixed: {
    exchange: 'payments_events', type: 'topic',
    queues: [['payments', ['payment.#', 'an.#', 'profile.#', 'session.#', 'catalog.#', 'stock.#']], ['', ['admin.#']]],
    read: ({ type, data }) => ({ type, data }),
  },
};
// It consumes again a queue that was deleted; the others here do not.
DESIGNS['mixed-again'] = { ...DESIGNS.mixed, again: () => true };
// Its own queue it consumes without acknowledging anything.
DESIGNS['mixed-forgetful'] = { ...DESIGNS.mixed, forgets: true };
DESIGNS['mixed-half-again'] = { ...DESIGNS.mixed, again: (name) => name !== '' };
// Frames of another form; in the second one pongs have the usual form.
const plain = { ...DESIGNS.two, queues: [['ws_events', ['#']]] };
Object.assign(DESIGNS, { framed: { ...plain, framed: true }, 'framed-wrongly': { ...plain, framed: true, pongs: 'usual' } });
const design = DESIGNS[DESIGN];
const rooms = new Map();
const join = (socket, room) => rooms.set(room, (rooms.get(room) ?? new Set()).add(socket));
const usual = (type, payload) => ({ type, payload, timestamp: new Date().toISOString() });
const framed = (type, payload) => {
  if (type === 'subscribed') return { action: 'ok', channel: payload.room };
  return type === 'pong' && design.pongs ? usual(type) : { action: type, body: payload };
};
const send = (socket, type, payload) => socket.send(JSON.stringify((design.framed ? framed : usual)(type, payload)));
const read = (text) => {
  const frame = JSON.parse(text);
  return design.framed ? { type: frame.action, payload: { room: frame.channel } } : frame;
};

const server = createServer((_, response) => response.writeHead(426).end());
new WebSocketServer({ server }).on('connection', (socket, request) => {
  const token = new URL(request.url, 'http://x').searchParams.get('token');
  const { userId, role } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  const own = ['broadcast', `user:${userId}`, `role:${role.toLowerCase()}`];
  own.forEach((room) => join(socket, room));
  send(socket, 'connection:established', { userId, rooms: own });
  socket.on('error', () => {});
  socket.on('close', () => rooms.forEach((members) => members.delete(socket)));
  socket.on('message', (data) => {
    const { type, payload } = read(data);
    if (type === 'ping') send(socket, 'pong');
    if (type === 'subscribe') { join(socket, payload.room ?? payload.eventType); send(socket, 'subscribed', payload); }
    if (type === 'unsubscribe') { rooms.get(payload.room)?.delete(socket); send(socket, 'unsubscribed', payload); }
  });
});

const room = ({ type, data }) => {
  if (type.startsWith('payment:')) return 'broadcast';
  if (/^(profile|session):/.test(type)) return `user:${data.userId}`;
  return type.startsWith('admin:') ? 'role:admin' : type;
};
const connection = await amqp.connect(RABBITMQ_URL);
connection.on('error', () => {});
const channel = await connection.createChannel();
channel.on('error', () => {});
await channel.assertExchange(design.exchange, design.type, { durable: true });
const consume = async ([name, keys]) => {
  const noAck = Boolean(design.forgets) && name === '';
  const { queue } = await channel.assertQueue(name, { durable: name !== '', exclusive: name === '' });
  for (const key of keys) await channel.bindQueue(queue, design.exchange, key);
  await channel.consume(queue, (message) => {
    if (!message) {
      if (design.again?.(name)) setTimeout(() => consume([name, keys]).catch(() => {}), 100);
      return;
    }
    try {
      const event = design.read(JSON.parse(message.content.toString()), message.fields.routingKey);
      rooms.get(room(event))?.forEach((socket) => send(socket, event.type, event.data));
      if (queue !== UNACKNOWLEDGED && !noAck) channel.ack(message);
    } catch {
      channel.nack(message, false, false);
    }
  }, { noAck });
};
for (const queue of design.queues) await consume(queue);
server.listen(Number(PORT), '127.0.0.1');
